//! `cluster::copy` on the engine of this process. Expected bits are the crate's, called row by row.

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use ndarray_rnn::manual_seed;
use ndarray_rnn_datafusion::check::Bits;
use ndarray_rnn_datafusion::cluster::{copy, utf8};
use ndarray_rnn_datafusion::data::{Rows, Sizes};
use ndarray_rnn_datafusion::demo::{self, Alone};

#[tokio::test]
async fn a_copy_that_failed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let [model, input, output] = ["model.safetensors", "in", "out"].map(|name| folder.path().join(name));
    demo::write_model(&model, 0).unwrap();
    let sizes = Sizes { rows: 100, longest: 10, features: demo::FEATURES, tokens: demo::TOKENS };
    let rows = Rows::draw(sizes, &mut manual_seed(0)).unwrap();
    std::fs::create_dir(&input).unwrap();
    rows.write(&input, 4, demo::FEATURES).unwrap();
    std::fs::write(&output, "").unwrap(); // where a folder must be

    let files: Vec<_> =
        (0..4).map(|n| [&input, &output].map(|folder| folder.join(format!("part-{n}.parquet")))).collect();
    let query = |table: &str| demo::of(demo::SQL, table);
    let session = |partitions| {
        let ctx = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(partitions));
        demo::functions(&model)
            .unwrap()
            .iter()
            .for_each(|function| ctx.register_udf(ScalarUDF::clone(function)));
        ctx
    };
    let error = copy(&session(2), query, files.clone(), 2, || {}).await.unwrap_err().strip_backtrace();
    assert!(error.contains("expected a session of target_partitions 1, got 2"), "{error}");

    let ctx = session(1);
    let error = copy(&ctx, query, files.clone(), 2, || {}).await.unwrap_err().strip_backtrace();
    assert!(error.contains("part-"), "{error}");
    std::fs::remove_file(&output).unwrap();
    copy(&ctx, query, files, 2, || {}).await.unwrap();
    let written = ctx.read_parquet(utf8(&output).unwrap(), ParquetReadOptions::default()).await.unwrap();
    let found = Bits::of(&written.collect().await.unwrap()).unwrap();
    assert!(found == Bits::alone(&Alone::read(&model).unwrap(), &rows).unwrap());
}
