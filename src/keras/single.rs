//! Logarithm, sine and cosine in single precision, with the bits of glibc since 2.28. TensorFlow calls glibc's, and makes
//! Keras's normal draws of them.
//!
//! Each function takes a few operations in `f64` and rounds once. The logarithm is off by up to 0.82 ULP, sine and cosine
//! by 0.56: a more exact function would have other bits. No special cases: only arguments of normal draws come here.
//!
//! Source: ARM's optimized routines, `math/logf.c` and `math/sincosf.h` (MIT licence),
//! <https://github.com/ARM-software/optimized-routines>.

/// 1/c and ln(c) for numbers c near the middle of each of 16 intervals.
const LOG_TABLE: [(f64, f64); 16] = [
    hex(0x3ff6_61ec_79f8_f3be, 0xbfd5_7bf7_808c_aade),
    hex(0x3ff5_71ed_4aaf_883d, 0xbfd2_bef0_a7c0_6ddb),
    hex(0x3ff4_9539_f0f0_10b0, 0xbfd0_1eae_7f51_3a67),
    hex(0x3ff3_c995_b0b8_0385, 0xbfcb_31d8_a682_24e9),
    hex(0x3ff3_0d19_0c88_64a5, 0xbfc6_574f_0ac0_7758),
    hex(0x3ff2_5e22_7b0b_8ea0, 0xbfc1_aa2b_c79c_8100),
    hex(0x3ff1_bb4a_4a1a_343f, 0xbfba_4e76_ce8c_0e5e),
    hex(0x3ff1_2358_f08a_e5ba, 0xbfb1_973c_5a61_1ccc),
    hex(0x3ff0_953f_4199_00a7, 0xbfa2_52f4_38e1_0c1e),
    (1.0, 0.0),
    hex(0x3fee_608c_fd9a_47ac, 0x3faa_a5aa_5df2_5984),
    hex(0x3fec_a4b3_1f02_6aa0, 0x3fbc_5e53_aa36_2eb4),
    hex(0x3feb_2036_576a_fce6, 0x3fc5_26e5_7720_db08),
    hex(0x3fe9_c2d1_63a1_aa2d, 0x3fcb_c286_0d22_4770),
    hex(0x3fe8_86e6_0378_41ed, 0x3fd1_058b_c8a0_7ee1),
    hex(0x3fe7_67dc_f553_4862, 0x3fd4_0430_57b6_ee09),
];

/// ln(1 + r) is r and these times r^4, r^3 and r^2.
const LOG: [f64; 3] = [
    f64::from_bits(0xbfd0_0ea3_48b8_8334),
    f64::from_bits(0x3fd5_575b_0be0_0b6a),
    f64::from_bits(0xbfdf_fffe_f20a_4123),
];

/// sin(x) is x and these times x^3, x^5, x^7.
const SIN: [f64; 3] = [
    f64::from_bits(0xbfc5_5554_5995_a603),
    f64::from_bits(0x3f81_1076_0523_0bc4),
    f64::from_bits(0xbf29_94eb_3774_cf24),
];

/// cos(x) is 1 and these times x^2, x^4, x^6, x^8.
const COS: [f64; 4] = [
    f64::from_bits(0xbfdf_ffff_fd0c_621c),
    f64::from_bits(0x3fa5_5553_e106_8f19),
    f64::from_bits(0xbf56_c087_e89a_359d),
    f64::from_bits(0x3ef9_9343_027b_f8c3),
];

/// Where the table's first interval begins.
const OFFSET: u32 = 0x3f33_0000;

/// An angle below this needs no reduction.
const SMALL: f32 = 0.75;

const fn hex(inverse: u64, logarithm: u64) -> (f64, f64) {
    (f64::from_bits(inverse), f64::from_bits(logarithm))
}

/// The logarithm of a positive normal number.
pub(super) fn ln(x: f32) -> f32 {
    let shifted = x.to_bits().wrapping_sub(OFFSET);
    let (inverse, logarithm) = LOG_TABLE[(shifted >> 19) as usize % 16];
    let exponent = f64::from(shifted as i32 >> 23);
    let z = f64::from(f32::from_bits(x.to_bits().wrapping_sub(shifted & 0xff80_0000)));
    let r = z * inverse - 1.0;
    let start = logarithm + exponent * std::f64::consts::LN_2;
    let square = r * r;
    let y = LOG[0] * square + (LOG[1] * r + LOG[2]);
    (y * square + (start + r)) as f32
}

/// Sine and cosine of an angle from 0 to 2 pi.
pub(super) fn sin_cos(x: f32) -> (f32, f32) {
    let wide = f64::from(x);
    if x < SMALL {
        return (sin_near_0(wide), cos_near_0(wide));
    }
    // The nearest whole number of quarter turns.
    let turned = wide * std::f64::consts::FRAC_2_PI * f64::from(1 << 24);
    let quarters = (turned as i32 + 0x80_0000) >> 24;
    let rest = wide - f64::from(quarters) * std::f64::consts::FRAC_PI_2;
    match quarters & 3 {
        0 => (sin_near_0(rest), cos_near_0(rest)),
        1 => (cos_near_0(rest), -sin_near_0(rest)),
        2 => (-sin_near_0(rest), -cos_near_0(rest)),
        _ => (-cos_near_0(rest), sin_near_0(rest)),
    }
}

fn sin_near_0(x: f64) -> f32 {
    let square = x * x;
    let cube = x * square;
    ((x + cube * SIN[0]) + cube * square * (SIN[1] + square * SIN[2])) as f32
}

fn cos_near_0(x: f64) -> f32 {
    let square = x * x;
    let fourth = square * square;
    let start = (1.0 + square * COS[0]) + fourth * COS[1];
    (start + fourth * square * (COS[2] + square * COS[3])) as f32
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::{ln, sin_cos};

    /// Every argument that a draw can have. std's functions are the C library's.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "the reference is the C library itself")]
    fn glibc_has_the_same_bits() {
        for word in 0..1_u32 << 23 {
            let u = word as f32 / (1 << 23) as f32;
            let (first, angle) = (u.max(1.0e-7), (std::f64::consts::TAU * f64::from(u)) as f32);
            assert_eq!(ln(first).to_bits(), first.ln().to_bits(), "ln {first:e}");
            let (sin, cos) = sin_cos(angle);
            assert_eq!(sin.to_bits(), angle.sin().to_bits(), "sin {angle:e}");
            assert_eq!(cos.to_bits(), angle.cos().to_bits(), "cos {angle:e}");
        }
    }
}
