//! The instruction sets of this machine.

pub use pulp::Arch;

/// Every instruction set that the kernels have a form for and this machine has, the plainest first.
#[must_use]
pub fn archs() -> Vec<(&'static str, Arch)> {
    let mut archs = vec![("scalar", Arch::Scalar)];
    archs.extend(vectors());
    archs
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn vectors() -> impl Iterator<Item = (&'static str, Arch)> {
    let v3 = pulp::x86::V3::try_new().map(|simd| ("AVX2", Arch::V3(simd)));
    let v4 = pulp::x86::V4::try_new().map(|simd| ("AVX-512", Arch::V4(simd)));
    v3.into_iter().chain(v4)
}

#[cfg(target_arch = "aarch64")]
fn vectors() -> impl Iterator<Item = (&'static str, Arch)> {
    pulp::aarch64::Neon::try_new().map(|simd| ("NEON", Arch::Neon(simd))).into_iter()
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn vectors() -> impl Iterator<Item = (&'static str, Arch)> {
    std::iter::empty()
}
