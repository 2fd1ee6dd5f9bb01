//! Writing what stands around recurrent nodes: an embedding before them, the last outputs and a linear layer behind.

use super::builder::{Builder, int, ints};
use crate::embedding::Embedding;
use crate::error::Result;
use crate::linear::Linear;
use crate::scalar::Scalar;

/// Adds the embedding of indices.
pub(super) fn embedding<A: Scalar>(
    graph: &mut Builder,
    embedding: &Embedding<A>,
    indices: &str,
    output: &str,
) -> Result<()> {
    let weight = graph.constant("embedding.weight".into(), &embedding.weight().view().into_dyn())?;
    graph.node("Gather", &[&weight, indices], &[output], vec![int("axis", 0)]);
    Ok(())
}

/// Adds a linear layer of rows in the last axis.
pub(super) fn linear<A: Scalar>(
    graph: &mut Builder,
    linear: &Linear<A>,
    rows: &str,
    output: &str,
) -> Result<()> {
    let parameters = linear.parameters();
    // A head that is read back by name has its weight as torch keeps it.
    let weight = graph.constant("linear.weight".into(), &parameters.weight().view().into_dyn())?;
    graph.node("Transpose", &[&weight], &["linear.columns"], vec![ints("perm", &[1, 0])]);
    let Some(bias) = parameters.bias() else {
        graph.node("MatMul", &[rows, "linear.columns"], &[output], Vec::new());
        return Ok(());
    };
    let bias = graph.constant("linear.bias".into(), &bias.view().into_dyn())?;
    graph.node("MatMul", &[rows, "linear.columns"], &["linear.product"], Vec::new());
    graph.node("Add", &["linear.product", &bias], &[output], Vec::new());
    Ok(())
}
