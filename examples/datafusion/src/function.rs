//! A model as a scalar function.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use ndarray_rnn::PackedSequence;

use crate::columns::{self, Column};
use crate::model::{Model, external};
use crate::results;

/// What a function gives for a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// One result, of the network's last output: `FixedSizeList(Float32)`.
    Last,
    /// A result for each step: `List(FixedSizeList(Float32))`.
    Outputs,
}

/// A scalar function of one column of sequences. A null or empty sequence gives null.
///
/// SQL calls the function by the name that it is given here. Plans name it with the model's fingerprint, such as
/// `rnn_last@0123456789abcdef`, and Ballista's executors look it up by that name: an executor that has another model
/// under the same name refuses the plan.
///
/// The sequences of a record batch go through one pass of the network, on the engine's thread.
#[derive(Debug)]
pub struct Score {
    /// Its name in plans, and the one in SQL.
    names: [String; 2],
    model: Arc<Model>,
    gives: Gives,
    signature: Signature,
}

impl Score {
    /// The function of a name in SQL.
    pub fn new(name: &str, model: impl Into<Arc<Model>>, gives: Gives) -> Self {
        let model = model.into();
        let name = name.to_lowercase();
        let names = [format!("{name}@{:016x}", model.fingerprint()), name];
        Self { names, model, gives, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn result_type(&self) -> Result<DataType> {
        match self.gives {
            Gives::Last => results::last_type(self.model.output_size()),
            Gives::Outputs => results::outputs_type(self.model.output_size()),
        }
    }

    /// The sequences of a column as the network reads them.
    fn read(&self, column: &str, array: &ArrayRef) -> Result<Column<f32>> {
        let Some(count) = self.model.tokens() else {
            return columns::features(column, array, self.model.input_size());
        };
        let Column { present, packed } = columns::tokens(column, array, count)?;
        let packed = packed.map(|tokens| self.model.embed(&tokens)).transpose().map_err(external)?;
        Ok(Column { present, packed })
    }

    fn run(&self, present: Vec<bool>, packed: Option<PackedSequence<f32>>) -> Result<ArrayRef> {
        let width = self.model.output_size();
        match self.gives {
            Gives::Last => {
                let last = packed.map(|packed| self.model.last(&packed)).transpose().map_err(external)?;
                results::last(present, last.as_ref(), width)
            }
            Gives::Outputs => {
                let outputs =
                    packed.map(|packed| self.model.outputs(&packed)).transpose().map_err(external)?;
                results::outputs(present, outputs.unwrap_or_default(), width)
            }
        }
    }
}

/// Functions of one name in plans compute the same, if they give the same.
impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names && self.gives == other.gives
    }
}

impl Eq for Score {}

impl Hash for Score {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names.hash(state);
    }
}

impl ScalarUDFImpl for Score {
    fn name(&self) -> &str {
        &self.names[0]
    }

    fn aliases(&self) -> &[String] {
        &self.names[1..]
    }

    /// The name of the column that the function gives.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let args: Vec<_> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(format!("{}({})", self.names[1], args.join(",")))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        internal_err!("{}: the type is checked with the column's name", self.names[1])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let [column] = args.arg_fields else {
            return plan_err!("{}: expected one column, got {}", self.names[1], args.arg_fields.len());
        };
        columns::expect_type(&self.model, column.name(), column.data_type())?;
        Ok(Arc::new(Field::new(&self.names[1], self.result_type()?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ([value], [field]) = (&args.args[..], &args.arg_fields[..]) else {
            return internal_err!("{}: planned for one column", self.names[1]);
        };
        let Column { present, packed } = self.read(field.name(), &value.to_array(args.number_rows)?)?;
        Ok(ColumnarValue::Array(self.run(present, packed)?))
    }
}
