//! What stands around the network: linear maps, losses, optimisers, a whole training.

use ndarray::{Array1, Array2, Axis};
use ndarray_rnn::functional::{log_softmax, sample, softmax};
use ndarray_rnn::loss::{
    BceWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, Loss, MseLoss, NllLoss, Reduction, SmoothL1Loss,
};
use ndarray_rnn::optim::{
    Adam, AdamConfig, CosineAnnealingLr, CosineAnnealingWarmRestarts, ExponentialLr, LinearLr, MaxNorm,
    MultiStepLr, OneCycleConfig, OneCycleLr, RmsProp, RmsPropConfig, Sgd, SgdConfig, StepLr, clip_grad_norm,
    clip_grad_value,
};
use ndarray_rnn::{
    Dropout, Embedding, EmbeddingConfig, Linear, LinearConfig, Parameters, Result, Rnn, RnnConfig, Scalar,
    manual_seed, random,
};

use crate::draws::{any_bits, matrix, uniform};
use crate::network::numbers;
use crate::report::{case, dtype, integers};

/// Maps of every size, and one of any bits: a table of fused multiply-adds.
pub fn linear<A: Scalar>() -> Result<()> {
    for (rows, input, output) in [(1, 1, 1), (7, 3, 2), (5, 16, 17), (13, 70, 33), (1, 64, 65)] {
        let linear = Linear::<A>::new(LinearConfig::new(input, output), &mut manual_seed(20))?;
        let x = matrix([rows, input], 21)?;
        let y = linear.forward(&x)?;
        let gradients = linear.backward(&x, &y)?;
        let all = y.into_iter().chain(gradients.input).chain(numbers(&gradients.parameters));
        case(&format!("linear/{}/{rows}x{input}x{output}", dtype::<A>()), "", all);
    }
    let mut rng = manual_seed(22);
    let mut linear = Linear::<A>::zeros(LinearConfig::new(1, 128))?;
    for (_, mut value) in linear.named_parameters_mut() {
        any_bits(&mut value, &mut rng);
    }
    let mut x = Array2::zeros((128, 1));
    any_bits(&mut x, &mut rng);
    case(&format!("fma/{}/any_bits", dtype::<A>()), "", linear.forward(&x)?);
    nearly_cancelling(&mut linear)
}

/// `a b + c` with `c` near `-a b`, scaled into the subnormal numbers, where rounding twice goes wrong.
fn nearly_cancelling<A: Scalar>(linear: &mut Linear<A>) -> Result<()> {
    let smallest = if A::SINGLE { -149 } else { -1074 };
    for (name, exponent) in [("normal", 0), ("subnormal", smallest + 10)] {
        let (a, b, c) = (matrix::<A>([128, 1], 23)?, matrix::<A>([128, 1], 24)?, matrix::<A>([128, 1], 25)?);
        let power = |e: i32| A::from_f64(power_of_two(e));
        let scale = power(exponent / 2);
        let x = a.mapv(|a| a * scale);
        let bias = Array1::from_shape_fn(128, |i| {
            let product = b[[i, 0]] * a[[i, 0]] * scale * scale;
            -product + product * c[[i, 0]] * power(-(i as i32 % 60))
        });
        let weight = b.mapv(|b| b * scale);
        linear.load_state_dict([("weight", weight.into_dyn()), ("bias", bias.into_dyn())])?;
        case(&format!("fma/{}/cancelling_{name}", dtype::<A>()), "", linear.forward(&x)?);
    }
    Ok(())
}

/// 2^exponent, of a normal number.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::from((1023 + exponent).unsigned_abs()) << 52)
}

/// tanh by a network of one unit whose sum is its input: a stride of all `f32`, random bits and ranges of `f64`.
pub fn tanh<A: Scalar>() -> Result<()> {
    let mut rnn = Rnn::<A>::zeros(RnnConfig::new(1, 1))?;
    let one = Array2::from_elem((1, 1), A::one()).into_dyn();
    let mut state = rnn.state_dict();
    state[0].1 = one;
    rnn.load_state_dict(state)?;

    let mut rng = manual_seed(26);
    let mut random = Array1::<A>::zeros(10_000);
    any_bits(&mut random, &mut rng);
    let stride: Vec<A> =
        (0..=u32::MAX).step_by(130_073).map(|bits| A::from_f64(f32::from_bits(bits).into())).collect();
    let spread: Vec<A> = matrix::<A>([1, 20_000], 27)?.into_iter().collect();
    // From 1e-9 to 20, denser towards zero.
    let spread = spread.into_iter().map(|x| {
        let square = x * x;
        x * square * square * A::from_f64(20.0)
    });
    let inputs = [("any_bits", random.to_vec()), ("f32_stride", stride), ("range", spread.collect())];
    for (name, inputs) in inputs {
        let rows = inputs.len();
        let Ok(x) = ndarray::Array3::from_shape_vec((1, rows, 1), inputs) else { continue };
        for (set, arch) in ndarray_rnn::kernels::archs() {
            let (output, _) = rnn.clone().on(arch).forward(&x, None)?;
            case(&format!("tanh/{}/{name}", dtype::<A>()), set, output);
        }
    }
    Ok(())
}

pub fn losses<A: Scalar>() -> Result<()> {
    // Up to +-30, so that logits saturate and gradients vanish.
    let x = matrix::<A>([23, 9], 28)?.mapv(|x| x * x * x * A::from_f64(30.0));
    let y = matrix::<A>([23, 9], 29)?;
    let p = y.mapv(|y| y * y);
    let classes = Array1::from_shape_fn(23, |i| i * 5 % 9);
    let weights: Vec<f64> = (1..=9).map(|i| f64::from(i) / 7.0).collect();
    let losses: [(&str, Loss<A, _>); 9] = [
        ("mse", MseLoss::new().forward(&x, &y)?),
        ("l1", L1Loss::new().reduction(Reduction::Sum).forward(&x, &y)?),
        ("smooth_l1", SmoothL1Loss::new().beta(0.7).forward(&x, &y)?),
        ("huber", HuberLoss::new().delta(0.7).forward(&x, &y)?),
        ("bce", BceWithLogitsLoss::new().forward(&x, &p)?),
        ("bce_weighted", BceWithLogitsLoss::new().pos_weight(weights.clone()).forward(&x, &p)?),
        ("cross_entropy", CrossEntropyLoss::new().forward(&x, &classes)?),
        (
            "cross_entropy_smoothed",
            CrossEntropyLoss::new()
                .weight(weights.clone())
                .label_smoothing(0.1)
                .ignore_index(5)
                .forward(&x, &classes)?,
        ),
        ("nll", NllLoss::new().weight(weights).forward(&x, &classes)?),
    ];
    for (name, loss) in losses {
        case(&format!("loss/{}/{name}", dtype::<A>()), "", [loss.value].into_iter().chain(loss.gradient));
    }
    let soft = CrossEntropyLoss::new().weight((1..=9).map(f64::from)).label_smoothing(0.1);
    let soft = soft.forward_probabilities(&x, &p)?;
    case(
        &format!("loss/{}/cross_entropy_probabilities", dtype::<A>()),
        "",
        [soft.value].into_iter().chain(soft.gradient),
    );
    let each = CrossEntropyLoss::new().unreduced(&x, &classes)?;
    case(
        &format!("loss/{}/cross_entropy_each", dtype::<A>()),
        "",
        each.values.into_iter().chain(each.gradient),
    );
    Ok(())
}

/// Three steps of an optimiser over a model with gradients of its own shape.
macro_rules! steps {
    ($name:literal, $optimizer:ident, $config:expr, $A:ty) => {{
        let mut model = Linear::<$A>::new(LinearConfig::new(19, 7), &mut manual_seed(30))?;
        let mut optimizer = $optimizer::new($config, &model)?;
        for step in 0..3 {
            let gradient = Linear::<$A>::new(LinearConfig::new(19, 7), &mut manual_seed(31 + step))?;
            optimizer.step(&mut model, &gradient)?;
        }
        let remembered = optimizer.state_dict().arrays.into_iter().flat_map(|(_, array)| array);
        let all = numbers(&model).into_iter().chain(remembered);
        case(&format!("optim/{}/{}", dtype::<$A>(), $name), "", all);
    }};
}

pub fn optimisers<A: Scalar>() -> Result<()> {
    let sgd = SgdConfig::new().lr(0.1);
    steps!("sgd", Sgd, sgd.clone(), A);
    steps!("sgd_momentum", Sgd, sgd.clone().momentum(0.9).dampening(0.2).weight_decay(0.01), A);
    steps!("sgd_nesterov", Sgd, sgd.momentum(0.9).nesterov(true).maximize(true), A);
    steps!("adam", Adam, AdamConfig::new(), A);
    steps!("adam_amsgrad", Adam, AdamConfig::new().amsgrad(true).weight_decay(0.01), A);
    steps!("adamw", Adam, AdamConfig::adamw(), A);
    steps!("rmsprop", RmsProp, RmsPropConfig::new(), A);
    steps!(
        "rmsprop_centered",
        RmsProp,
        RmsPropConfig::new().centered(true).momentum(0.9).weight_decay(0.01),
        A
    );

    for norm_type in [1.0, 2.0, 3.0, 2.5, f64::INFINITY] {
        let mut gradient = Linear::<A>::new(LinearConfig::new(19, 7), &mut manual_seed(34))?;
        let norm =
            clip_grad_norm(&mut gradient, MaxNorm::new(0.5).norm_type(norm_type).error_if_nonfinite(true))?;
        let name = format!("clip/{}/norm_{norm_type}", dtype::<A>());
        case(&name, "", numbers(&gradient).into_iter().chain([norm]));
    }
    let mut gradient = Linear::<A>::new(LinearConfig::new(19, 7), &mut manual_seed(34))?;
    clip_grad_value(&mut gradient, 0.1)?;
    case(&format!("clip/{}/value", dtype::<A>()), "", numbers(&gradient));
    Ok(())
}

pub fn schedules() -> Result<()> {
    let epochs = 0..200;
    let step = StepLr::new(0.1, 7, 0.3)?;
    case("schedule/step", "", epochs.clone().map(|epoch| step.lr(epoch)));
    let exponential = ExponentialLr::new(0.1, 0.97)?;
    case("schedule/exponential", "", epochs.clone().map(|epoch| exponential.lr(epoch)));
    let cosine = CosineAnnealingLr::new(0.1, 33, 1e-3)?;
    case("schedule/cosine", "", epochs.clone().map(|epoch| cosine.lr(epoch)));
    let steps = MultiStepLr::new(0.1, [7, 30, 31, 150], 0.3)?;
    case("schedule/multi_step", "", epochs.clone().map(|epoch| steps.lr(epoch)));
    let linear = LinearLr::new(0.1, 0.3, 0.9, 77)?;
    case("schedule/linear", "", epochs.clone().map(|epoch| linear.lr(epoch)));
    let restarts = CosineAnnealingWarmRestarts::new(0.1, 7, 2, 1e-3)?;
    case("schedule/warm_restarts", "", epochs.clone().map(|epoch| restarts.lr(epoch)));
    for (name, three_phase) in [("one_cycle", false), ("three_phases", true)] {
        let cycle = OneCycleLr::new(OneCycleConfig::new(0.1, 200).three_phase(three_phase))?;
        let rates: Result<Vec<_>> =
            epochs.clone().flat_map(|step| [cycle.lr(step), cycle.momentum(step)]).collect();
        case(&format!("schedule/{name}"), "", rates?);
    }
    Ok(())
}

pub fn embedding<A: Scalar>() -> Result<()> {
    let embedding = Embedding::<A>::new(EmbeddingConfig::new(11, 5).padding_idx(2), &mut manual_seed(35))?;
    let tokens = Array2::from_shape_fn((6, 9), |(t, n)| (t * 7 + n * 3) % 11);
    let rows = embedding.forward(&tokens)?;
    let gradient = embedding.backward(&tokens, &rows)?;
    case(&format!("embedding/{}", dtype::<A>()), "", rows.into_iter().chain(numbers(&gradient)));
    for norm_type in [1.0, 2.0, 3.0, 2.5, f64::INFINITY] {
        let config = EmbeddingConfig::new(11, 5).max_norm(1.3).norm_type(norm_type);
        let mut embedding = Embedding::<A>::new(config, &mut manual_seed(38))?;
        embedding.renorm(&tokens)?;
        case(&format!("embedding/{}/norm_{norm_type}", dtype::<A>()), "", numbers(&embedding));
    }
    Ok(())
}

/// softmax and its logarithm, dropout, draws from weights and from logits.
pub fn functions<A: Scalar>() -> Result<()> {
    let x = matrix::<A>([50, 9], 39)?.mapv(|x| x * x * x * A::from_f64(30.0));
    case(&format!("functional/{}/softmax", dtype::<A>()), "", softmax(&x, Axis(1))?);
    case(&format!("functional/{}/log_softmax", dtype::<A>()), "", log_softmax(&x, Axis(0))?);
    let mut rng = manual_seed(40);
    let (output, mask) = Dropout::new(0.3)?.forward_train(&x, &mut rng)?;
    case(&format!("dropout/{}", dtype::<A>()), "", output.into_iter().chain(mask.backward(&x)?));
    let drawn = random::multinomial(&x.mapv(|x| x * x), &mut rng)?;
    let sampled = sample(&x, 7.0, &mut rng)?;
    let indices = drawn.into_iter().chain(sampled).map(|index| index as u64);
    integers(&format!("functional/{}/sample", dtype::<A>()), indices);
    Ok(())
}

/// Ten steps of training: a network with dropout, a linear map, cross entropy, clipping, Adam. Every loss, and the
/// parameters after them.
pub fn training<A: Scalar>() -> Result<()> {
    let mut rng = manual_seed(36);
    let config = RnnConfig::new(6, 18).num_layers(2).bidirectional(true).dropout(0.3);
    let mut model = (Rnn::<A>::new(config, &mut rng)?, Linear::<A>::new(LinearConfig::new(36, 4), &mut rng)?);
    let mut optimizer = Adam::new(AdamConfig::new().lr(0.01), &model)?;
    let input = uniform::<A>([7, 5, 6], 37)?;
    let target = Array1::from_shape_fn(35, |i| i * 3 % 4);
    let mut all = Vec::new();
    for _ in 0..10 {
        let (output, _, trace) = model.0.forward_train(&input, None, &mut rng)?;
        let Ok(rows) = output.into_shape_with_order((35, 36)) else { break };
        let logits = model.1.forward(&rows)?;
        let loss = CrossEntropyLoss::new().forward(&logits, &target)?;
        let head = model.1.backward(&rows, &loss.gradient)?;
        let Ok(d_output) = head.input.into_shape_with_order((7, 5, 36)) else { break };
        let body = model.0.backward(&trace, &d_output, None)?;
        let mut gradients = (body.parameters, head.parameters);
        let norm = clip_grad_norm(&mut gradients, MaxNorm::new(1.0).error_if_nonfinite(true))?;
        optimizer.step(&mut model, &gradients)?;
        all.extend([loss.value, norm]);
        all.extend(body.input.index_axis(Axis(0), 0).iter().copied());
    }
    all.extend(numbers(&model));
    case(&format!("training/{}", dtype::<A>()), "", all);
    Ok(())
}
