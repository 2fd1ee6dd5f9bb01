//! The norm of numbers, as one chain of operations in `f64`.

/// `(sum of |x|^norm_type)^(1 / norm_type)`, or with infinity the largest |x|; NaN if a number is.
pub(crate) fn norm(numbers: impl Iterator<Item = f64>, norm_type: f64) -> f64 {
    let sizes = numbers.map(f64::abs);
    if norm_type == f64::INFINITY {
        // Nothing is greater than a NaN, so the first one stays.
        sizes.fold(0.0, |max, x| if x > max || x.is_nan() { x } else { max })
    } else if norm_type == 2.0 {
        sizes.fold(0.0, |sum, x| sum + x * x).sqrt()
    } else {
        libm::pow(sizes.fold(0.0, |sum, x| sum + libm::pow(x, norm_type)), 1.0 / norm_type)
    }
}
