//! The line protocol of the workers that `run.py` starts: a JSON object comes in on a line, and one goes out.
//!
//! A worker holds one job, the one that it prepared last. It sleeps in `read_line` while another worker is timed.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A result that may be any error.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The shortest time that is measured as one sample.
const SAMPLE: Duration = Duration::from_micros(500);

/// The case to compute, as `cases.py` describes it.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "burn's worker does not need all of it")]
pub struct Case {
    /// `rnn`, `lstm` or `gru`.
    pub kind: String,
    /// `forward`, `backward`, `step`, `cell` or `ragged`.
    pub mode: String,
    /// Whether elements are `f32` and not `f64`.
    pub single: bool,
    /// The steps L.
    pub len: usize,
    /// The sequences N.
    pub batch: usize,
    /// Features of the input.
    pub input: usize,
    /// Features of the hidden state.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Whether each layer also runs in reverse.
    pub bidirectional: bool,
    /// Each sequence's length, if lengths differ.
    pub lengths: Vec<usize>,
}

impl Case {
    fn parse(value: &Value) -> Result<Self> {
        let size = |name: &str| {
            value[name].as_u64().map(|n| n as usize).ok_or_else(|| format!("a case without {name}: {value}"))
        };
        let lengths = value["lengths"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Self {
            kind: value["kind"].as_str().unwrap_or_default().into(),
            mode: value["mode"].as_str().unwrap_or_default().into(),
            single: value["dtype"] == "f32",
            len: size("len")?,
            batch: size("batch")?,
            input: size("input")?,
            hidden: size("hidden")?,
            layers: size("layers")?,
            bidirectional: value["bidirectional"] == true,
            lengths: lengths.iter().filter_map(Value::as_u64).map(|n| n as usize).collect(),
        })
    }
}

/// One case that is ready to run: its model and its input.
pub trait Job {
    /// The call that is timed.
    fn call(&mut self);

    /// Computes the result once, and answers what `run.py` asks about it.
    fn check(&mut self, case: &Case, request: &Value) -> Result<Value>;
}

/// What a worker does beside the protocol.
pub trait Worker {
    /// Name, version and instruction set.
    fn about(&self) -> String;

    /// Makes a case ready without running it.
    fn build(&self, case: &Case, request: &Value) -> Result<Box<dyn Job>>;

    /// The FMA peak in flops a nanosecond, and the least time of a case if it is known.
    fn limits(&self, _: &Case) -> Value {
        Value::Null
    }
}

/// Answers requests until the input ends.
pub fn serve(worker: &impl Worker) -> Result<()> {
    let mut job = None;
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let reply = answer(worker, &mut job, &request);
        let reply = reply.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{reply}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn answer(worker: &impl Worker, job: &mut Option<Box<dyn Job>>, request: &Value) -> Result<Value> {
    match request["do"].as_str().unwrap_or_default() {
        "about" => Ok(json!({ "about": worker.about() })),
        "limits" => Ok(worker.limits(&Case::parse(&request["case"])?)),
        "prepare" => {
            *job = None;
            let case = Case::parse(&request["case"])?;
            job.insert(worker.build(&case, request)?).check(&case, request)
        }
        "time" => {
            let job = job.as_mut().ok_or("nothing is prepared")?;
            let seconds = request["seconds"].as_f64().unwrap_or(0.1);
            Ok(json!({ "ns": measure(&mut **job, Duration::from_secs_f64(seconds)) }))
        }
        "memory" => {
            let mut job = worker.build(&Case::parse(&request["case"])?, request)?;
            Ok(json!({ "kB": peak_growth(&mut *job)? }))
        }
        other => Err(format!("an unknown request: {other}").into()),
    }
}

/// The median time of a call, in nanoseconds, over samples of at least half a millisecond.
fn measure(job: &mut dyn Job, time: Duration) -> f64 {
    let begin = Instant::now();
    let mut calls = 1;
    while sample(job, calls) < SAMPLE {
        calls *= 2;
    }
    let mut samples = Vec::new();
    while samples.is_empty() || begin.elapsed() < time {
        samples.push(sample(job, calls).as_secs_f64() * 1e9 / f64::from(calls));
    }
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn sample(job: &mut dyn Job, calls: u32) -> Duration {
    let begin = Instant::now();
    (0..calls).for_each(|_| job.call());
    begin.elapsed()
}

/// How much one call raises the process's peak memory, in kilobytes.
fn peak_growth(job: &mut dyn Job) -> Result<u64> {
    // On Linux, 5 sets the peak back to what is resident now.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS:")?;
    job.call();
    Ok(status("VmHWM:")?.saturating_sub(before))
}

fn status(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
