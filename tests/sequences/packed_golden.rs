//! torch's own packings: every index, every element and every padded array, bit for bit.

use crate::common::golden::{Case, Golden};
use crate::common::{Real, TestResult, assert_same_bits, in_both_types};
use ndarray::{Array2, Array3, ArrayD, Ix2, Ix3};
use ndarray_rnn::{PackedSequence, Packing, Padding, PaddingSide, pad_sequence, unpad_sequence};

const PACKED: &[u8] = include_bytes!("../golden/packed.safetensors");

/// One packing, and what torch stored of it.
struct PackedCase<'a> {
    golden: &'a Golden,
    case: Case,
}

impl PackedCase<'_> {
    fn array<A: Real>(&self, name: &str) -> TestResult<ArrayD<A>> {
        self.golden.array(&format!("packing.{}.{name}", self.case.index))
    }

    fn indices(&self, name: &str) -> TestResult<Vec<usize>> {
        let values = self.golden.integers(&format!("packing.{}.{name}", self.case.index))?;
        values.into_iter().map(|value| Ok(value.try_into()?)).collect()
    }

    /// The indices, which are there only if any order was allowed.
    fn order(&self, name: &str) -> TestResult<Option<Vec<usize>>> {
        if self.case.flag("enforce_sorted")? { Ok(None) } else { self.indices(name).map(Some) }
    }

    fn lengths(&self) -> TestResult<Vec<usize>> {
        Ok(serde_json::from_value(self.case.value["lengths"].clone())?)
    }

    fn padding<A: Real>(&self) -> TestResult<Padding<A>> {
        let value = self.case.value["padding_value"].as_f64().ok_or("no padding_value")?;
        let side = if self.case.is("padding_side", "left") { PaddingSide::Left } else { PaddingSide::Right };
        let padding = Padding::new(A::narrow(value)).side(side).batch_first(self.case.flag("batch_first")?);
        if self.case.value["total_length"].is_null() {
            return Ok(padding);
        }
        Ok(padding.total_length(self.case.size("total_length")?))
    }

    fn check<A: Real>(&self) -> TestResult {
        let (batch_first, lengths) = (self.case.flag("batch_first")?, self.lengths()?);
        let input: Array3<A> = self.array("input")?.into_dimensionality::<Ix3>()?;
        let sequences = unpad_sequence(&input, &lengths, Padding::default().batch_first(batch_first))?;
        let enforce_sorted = self.case.flag("enforce_sorted")?;
        let packing = Packing::new().batch_first(batch_first).enforce_sorted(enforce_sorted);
        let packed = PackedSequence::from_padded(&input, &lengths, packing)?;
        self.check_packed(&packed)?;
        if !enforce_sorted {
            self.check_packed(&PackedSequence::from_sequences(&sequences)?)?;
        }

        let padding = self.padding()?;
        let torch = self.array::<A>("padded")?.into_dimensionality::<Ix3>()?;
        let (padded, lengths_back) = packed.to_padded(padding)?;
        assert_same_bits(&padded, &torch, &format!("to_padded of {:?}", self.case));
        assert_eq!(lengths_back, lengths);
        assert_same_bits(
            &pad_sequence(&sequences, padding)?,
            &torch,
            &format!("pad_sequence of {:?}", self.case),
        );
        Ok(())
    }

    fn check_packed<A: Real>(&self, packed: &PackedSequence<A>) -> TestResult {
        let data: Array2<A> = self.array("data")?.into_dimensionality::<Ix2>()?;
        assert_same_bits(packed.data(), &data, &format!("data of {:?}", self.case));
        assert_eq!(packed.batch_sizes(), self.indices("batch_sizes")?, "{:?}", self.case);
        assert_eq!(packed.sorted_indices(), self.order("sorted_indices")?.as_deref(), "{:?}", self.case);
        assert_eq!(packed.unsorted_indices(), self.order("unsorted_indices")?.as_deref(), "{:?}", self.case);
        assert_eq!(packed.lengths()?, self.lengths()?, "{:?}", self.case);
        Ok(())
    }
}

fn packings_are_torchs<A: Real>() -> TestResult {
    let golden = Golden::parse(PACKED)?;
    let cases = golden.metadata["packing"].as_array().ok_or("no packings")?;
    assert_eq!(cases.len(), 56);
    for (index, value) in cases.iter().enumerate() {
        let packing = PackedCase { golden: &golden, case: Case { index, value: value.clone() } };
        if packing.case.is("dtype", A::NAME) {
            packing.check::<A>()?;
        }
    }
    Ok(())
}

in_both_types!(packings_are_torchs);
