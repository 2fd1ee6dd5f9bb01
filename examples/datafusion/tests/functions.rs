//! Functions in SQL: types, nulls, empties, errors, models of files. Expected values are the crate's, called row by row,
//! and torch's.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListBuilder, Float32Builder, Int64Builder, LargeListBuilder,
    ListBuilder, RecordBatch,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Float32Type};
use datafusion::prelude::SessionContext;
use ndarray::{Array1, Array2};
use ndarray_rnn::io::{StateDict, pt, safetensors};
use ndarray_rnn::{
    Embedding, EmbeddingConfig, Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig, Nonlinearity, Rnn,
    RnnConfig, manual_seed,
};
use ndarray_rnn_datafusion::{Format, Gives, Kind, Model, Names, Score};

const WIDTH: usize = 3;

/// A network of `WIDTH` features.
fn rnn() -> Rnn<f32> {
    Rnn::new(RnnConfig::new(WIDTH, 2).bidirectional(true), &mut manual_seed(0)).unwrap()
}

/// Steps of a row: the numbers of each, `None` for null.
type Row = Option<Vec<Option<Vec<Option<f32>>>>>;

fn step(numbers: &[f32]) -> Option<Vec<Option<f32>>> {
    Some(numbers.iter().copied().map(Some).collect())
}

/// A sequence of length 2, one of 1, null, empty, one of 3.
fn rows() -> Vec<Row> {
    vec![
        Some(vec![step(&[0.1, -0.2, 0.3]), step(&[1.0, 0.0, -1.0])]),
        Some(vec![step(&[0.5, 0.5, 0.5])]),
        None,
        Some(vec![]),
        Some(vec![step(&[0.0, 0.0, 0.0]), step(&[-0.4, 0.9, 0.2]), step(&[2.0, -2.0, 0.7])]),
    ]
}

fn lists(rows: &[Row]) -> ArrayRef {
    let mut lists = ListBuilder::new(ListBuilder::new(Float32Builder::new()));
    for row in rows {
        for step in row.iter().flatten() {
            step.iter().flatten().for_each(|&number| lists.values().values().append_option(number));
            lists.values().append(step.is_some());
        }
        lists.append(row.is_some());
    }
    Arc::new(lists.finish())
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new_list_field(data_type, true))
}

fn fixed() -> DataType {
    DataType::FixedSizeList(item(DataType::Float32), WIDTH as i32)
}

fn tokens(rows: &[Option<&[Option<i64>]>]) -> ArrayRef {
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in rows {
        row.iter().copied().flatten().for_each(|&token| lists.values().append_option(token));
        lists.append(row.is_some());
    }
    Arc::new(lists.finish())
}

/// The column that `f(x)` gives.
async fn call(score: Score, column: ArrayRef) -> Result<ArrayRef, String> {
    let ctx = SessionContext::new();
    ctx.register_udf(score.into());
    ctx.register_batch("t", RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap())
        .unwrap();
    let frame = ctx.sql("SELECT f(x) FROM t").await.map_err(|error| error.strip_backtrace())?;
    let batches = frame.collect().await.map_err(|error| error.strip_backtrace())?;
    Ok(batches[0].column(0).clone())
}

async fn last(column: ArrayRef) -> Result<ArrayRef, String> {
    call(Score::new("f", Model::new(None, rnn(), None).unwrap(), Gives::Last), column).await
}

/// The numbers of a row, without its structure.
fn numbers(column: &ArrayRef, row: usize) -> Option<Vec<f32>> {
    let flat = |array: ArrayRef| match array.as_fixed_size_list_opt() {
        Some(steps) => steps.values().as_primitive::<Float32Type>().values().to_vec(),
        None => array.as_primitive::<Float32Type>().values().to_vec(),
    };
    if column.is_null(row) {
        return None;
    }
    Some(match column.as_list_opt::<i32>() {
        Some(lists) => flat(lists.value(row)),
        None => flat(column.as_fixed_size_list().value(row)),
    })
}

fn array(row: &Row) -> Option<Array2<f32>> {
    let steps = row.as_ref().filter(|steps| !steps.is_empty())?;
    let flat = steps.iter().flatten().flatten().map(|number| number.unwrap()).collect();
    Some(Array2::from_shape_vec((steps.len(), WIDTH), flat).unwrap())
}

/// The last outputs, by plain calls: the final state of each direction.
fn expected() -> Vec<Option<Vec<f32>>> {
    let alone = |sequence: Array2<f32>| rnn().forward(&sequence, None).unwrap().1.iter().copied().collect();
    rows().iter().map(|row| array(row).map(alone)).collect()
}

fn found(column: &ArrayRef) -> Vec<Option<Vec<f32>>> {
    (0..column.len()).map(|row| numbers(column, row)).collect()
}

#[tokio::test]
async fn reads_lists_of_every_type() {
    let plain = lists(&rows());
    let large = DataType::LargeList(item(DataType::LargeList(item(DataType::Float32))));
    let fixed_steps = DataType::List(item(fixed()));
    let view = DataType::ListView(item(DataType::List(item(DataType::Float32))));
    let large_view = DataType::LargeListView(item(fixed()));
    for data_type in [plain.data_type().clone(), large, fixed_steps, view, large_view] {
        let column = cast(&plain, &data_type).unwrap();
        assert_eq!(found(&last(column).await.unwrap()), expected(), "{data_type}");
    }
}

#[tokio::test]
async fn reads_slices() {
    let column = cast(&lists(&rows()), &DataType::List(item(fixed()))).unwrap().slice(1, 4);
    assert_eq!(found(&last(column).await.unwrap()), expected()[1..]);
    let pairs: Vec<Row> =
        rows().into_iter().filter(|row| row.as_ref().is_some_and(|steps| steps.len() == 2)).collect();
    let fixed_rows = cast(&lists(&pairs), &DataType::FixedSizeList(item(fixed()), 2)).unwrap();
    assert_eq!(found(&last(fixed_rows).await.unwrap()), expected()[..1]);
}

#[tokio::test]
async fn gives_the_outputs_of_every_step() {
    let score = Score::new("f", Model::new(None, rnn(), None).unwrap(), Gives::Outputs);
    let column = call(score, lists(&rows())).await.unwrap();
    let alone =
        |sequence: Array2<f32>| rnn().forward(&sequence, None).unwrap().0.iter().copied().collect::<Vec<_>>();
    let expected: Vec<_> = rows().iter().map(|row| array(row).map(alone)).collect();
    assert_eq!(found(&column), expected);
    assert_eq!(column.as_list::<i32>().value_length(4), 3);
}

#[tokio::test]
async fn gives_nulls_for_a_batch_without_sequences() {
    for gives in [Gives::Last, Gives::Outputs] {
        let score = Score::new("f", Model::new(None, rnn(), None).unwrap(), gives);
        assert_eq!(found(&call(score, lists(&[None, Some(vec![])])).await.unwrap()), [None, None]);
    }
}

#[tokio::test]
async fn scores_a_literal() {
    let ctx = SessionContext::new();
    ctx.register_udf(Score::new("f", Model::new(None, rnn(), None).unwrap(), Gives::Last).into());
    let sql =
        "SELECT f(arrow_cast([[0.5, 0.5, 0.5]], 'List(FixedSizeList(3 x Float32))')) FROM (VALUES (1), (2))";
    let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(found(batches[0].column(0)), [expected()[1].clone(), expected()[1].clone()]);
}

#[tokio::test]
async fn names_the_row_and_column_of_what_is_wrong() {
    let with = |row: Row| lists(&[rows().remove(0), row]);
    for (row, message) in [
        (
            Some(vec![step(&[1.0, 2.0, 3.0]), step(&[1.0, 2.0])]),
            "column x, row 1 of the batch, step 1: expected 3 features, got 2",
        ),
        (Some(vec![None]), "column x, row 1 of the batch, step 0: expected 3 features, got null"),
        (
            Some(vec![Some(vec![Some(1.0), None, Some(3.0)])]),
            "column x, row 1 of the batch, step 0: expected 3 numbers, got null for feature 1",
        ),
    ] {
        let error = last(with(row)).await.unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[tokio::test]
async fn refuses_other_types_when_it_plans() {
    let wide = DataType::List(item(DataType::FixedSizeList(item(DataType::Float32), 4)));
    let doubles = DataType::List(item(DataType::FixedSizeList(item(DataType::Float64), 3)));
    let empty = |data_type: &DataType| datafusion::arrow::array::new_empty_array(data_type);
    for (data_type, message) in [
        (&wide, "column x: expected steps of 3 features, got 4 in List(FixedSizeList(4 x Float32))"),
        (&doubles, "List(FixedSizeList(3 x Float32)), got List(FixedSizeList(3 x Float64))"),
        (&DataType::Utf8, "column x: expected lists of steps of 3 features"),
    ] {
        let error = last(empty(data_type)).await.unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    let error = call(words(), empty(&DataType::List(item(DataType::Int32)))).await.unwrap_err();
    assert!(error.contains("column x: expected lists of tokens, List(Int64), got List(Int32)"), "{error}");
}

/// An embedding of 10 tokens, a GRU, a linear layer.
fn parts() -> (Embedding<f32>, Gru<f32>, Linear<f32>) {
    let rng = &mut manual_seed(1);
    (
        Embedding::new(EmbeddingConfig::new(10, 4), rng).unwrap(),
        Gru::new(GruConfig::new(4, 3), rng).unwrap(),
        Linear::new(LinearConfig::new(3, 2), rng).unwrap(),
    )
}

fn words() -> Score {
    let (embedding, gru, head) = parts();
    Score::new("f", Model::new(Some(embedding), gru, Some(head)).unwrap(), Gives::Last)
}

#[tokio::test]
async fn scores_tokens() {
    let (embedding, gru, head) = parts();
    let alone = |tokens: &[usize]| {
        let (output, _) =
            gru.forward(&embedding.forward(&Array1::from(tokens.to_vec())).unwrap(), None).unwrap();
        Some(head.forward(&output.row(tokens.len() - 1)).unwrap().to_vec())
    };
    let small = tokens(&[Some(&[Some(9), Some(0)]), None, Some(&[]), Some(&[Some(5)])]);
    let expected = [alone(&[9, 0]), None, None, alone(&[5])];
    let large = cast(&small, &DataType::LargeList(item(DataType::Int64))).unwrap();
    for column in [small, large] {
        assert_eq!(found(&call(words(), column).await.unwrap()), expected);
    }
}

#[tokio::test]
async fn refuses_what_is_no_token() {
    for (token, message) in [
        (Some(10), "column x, row 1 of the batch, step 1: expected a token from 0 to 9, got 10"),
        (Some(-1), "column x, row 1 of the batch, step 1: expected a token from 0 to 9, got -1"),
        (None, "column x, row 1 of the batch, step 1: expected a token from 0 to 9, got null"),
    ] {
        let error = call(words(), tokens(&[None, Some(&[Some(1), token])])).await.unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

/// The widest row decides nothing: an empty large list is as good as a small one.
#[tokio::test]
async fn gives_nulls_for_empty_large_lists() {
    let mut lists = LargeListBuilder::new(FixedSizeListBuilder::new(Float32Builder::new(), WIDTH as i32));
    lists.append(true);
    lists.append(false);
    assert_eq!(found(&last(Arc::new(lists.finish())).await.unwrap()), [None, None]);
}

#[test]
fn refuses_parts_that_do_not_fit() {
    let (embedding, gru, head) = parts();
    let narrow = Embedding::zeros(EmbeddingConfig::new(10, 3)).unwrap();
    let error = Model::new(Some(narrow), gru.clone(), None).unwrap_err().strip_backtrace();
    assert!(error.contains("GRU(4, 3): expected an embedding of 4 features, got 3"), "{error}");
    let wide = Gru::zeros(GruConfig::new(4, 5)).unwrap();
    let error = Model::new(Some(embedding), wide, Some(head)).unwrap_err().strip_backtrace();
    assert!(error.contains("GRU(4, 5): expected a head of 5 features, got 3"), "{error}");
}

const PT: &[u8] = include_bytes!("golden/net.pt");
const ONNX: &[u8] = include_bytes!("golden/net.onnx");

fn golden(bytes: &[u8], format: Format) -> Model {
    let names = Names::new("rnn.").embedding("embedding.").head("head.");
    Model::from_bytes(bytes, format, Kind::Gru, &names).unwrap()
}

/// Against torch, `tests/golden.py`: the pass sums in another order, hence within 1e-6.
#[tokio::test]
async fn scores_as_torch_does() {
    let safetensors = safetensors::to_bytes(&pt::from_bytes(PT).unwrap()).unwrap();
    let numbers = |text: &str| text.split(' ').map(|x| x.parse::<f32>().unwrap()).collect::<Vec<_>>();
    let lines: Vec<_> =
        include_str!("golden/scores.txt").lines().map(|line| line.split_once(": ").unwrap()).collect();
    for (bytes, format) in [(PT, Format::Pt), (ONNX, Format::Onnx), (&safetensors, Format::Safetensors)] {
        let rows: Vec<Vec<_>> = lines
            .iter()
            .map(|(row, _)| numbers(row).iter().map(|&token| Some(token as i64)).collect())
            .collect();
        let column = tokens(&rows.iter().map(|row| Some(&row[..])).collect::<Vec<_>>());
        let scores = found(&call(Score::new("f", golden(bytes, format), Gives::Last), column).await.unwrap());
        assert_eq!(scores.len(), 4);
        for (score, (_, torch)) in scores.iter().zip(&lines) {
            for (x, y) in score.as_ref().unwrap().iter().zip(numbers(torch)) {
                assert!((x - y).abs() < 1e-6, "{format:?}: {score:?}, torch {torch}");
            }
        }
    }
}

#[test]
fn a_fingerprint_is_of_the_bits_and_options() {
    assert_eq!(golden(PT, Format::Pt).fingerprint(), golden(ONNX, Format::Onnx).fingerprint());
    let of =
        |with| Model::new(None, Rnn::<f32>::zeros(RnnConfig::new(1, 1).nonlinearity(with)).unwrap(), None);
    let [tanh, relu] = [Nonlinearity::Tanh, Nonlinearity::Relu].map(|with| of(with).unwrap().fingerprint());
    assert_ne!(tanh, relu);
    let seeded = |seed| Rnn::<f32>::new(RnnConfig::new(1, 1), &mut manual_seed(seed)).unwrap();
    let [first, other] = [0, 1].map(|seed| Model::new(None, seeded(seed), None).unwrap().fingerprint());
    assert_ne!(first, other);
}

#[test]
fn names_what_a_file_lacks() {
    let read =
        |kind, names: &Names| Model::from_bytes(PT, Format::Pt, kind, names).unwrap_err().strip_backtrace();
    let error = read(Kind::Gru, &Names::new("gru."));
    assert!(error.contains(r#"no weight_ih_l0 under "gru.": did you mean `under("rnn.")`?"#), "{error}");
    assert!(read(Kind::Lstm, &Names::new("rnn.")).contains("GRU"));
    let relu = Kind::Rnn(Nonlinearity::Relu);
    assert!(Model::from_bytes(ONNX, Format::Onnx, relu, &Names::new("")).is_err());
    let error = Model::read("model.bin", Kind::Gru, &Names::new("")).unwrap_err().strip_backtrace();
    assert!(error.contains("model.bin: expected a file .safetensors, .pt, .pth or .onnx"), "{error}");
    assert!(
        Model::read("none.pt", Kind::Gru, &Names::new("")).unwrap_err().strip_backtrace().contains("none.pt")
    );
}

#[tokio::test]
async fn explain_shows_the_function_and_its_model() {
    let mut dict = StateDict::new();
    dict.add("", &Lstm::<f32>::new(LstmConfig::new(WIDTH, 2), &mut manual_seed(0)).unwrap()).unwrap();
    let model = Model::from_state_dict(&dict, Kind::Lstm, &Names::new("")).unwrap();
    let name = format!("f@{:016x}(x@0)", model.fingerprint());
    let ctx = SessionContext::new();
    ctx.register_udf(Score::new("f", model, Gives::Last).into());
    ctx.register_batch("t", RecordBatch::try_from_iter([("x", lists(&rows()))]).unwrap()).unwrap();
    let batches = ctx.sql("EXPLAIN FORMAT INDENT SELECT F(x) FROM t").await.unwrap().collect().await.unwrap();
    let plans = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    assert!(plans.contains(&format!("ProjectionExec: expr=[{name} as f(t.x)]")), "{plans}");
}
