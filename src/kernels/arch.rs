//! How work is done: on which instruction set of this machine, and how many rows at a time.

pub use pulp::Arch;

/// How a pass is cut up. None of it changes a bit of a result.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The instruction set.
    pub arch: Arch,
    /// Steps of fewer rows, which fill no tile of the kernel, have their input products made many steps together.
    pub ahead: usize,
    /// So have layers of more weights than this: two matrices at once would not stay in cache.
    pub near: usize,
    /// The most rows whose input products are made together, and that pass through all layers together: enough to keep the
    /// kernel at full speed, few enough that the sums, and what lies between two layers, are still in cache when they are
    /// read.
    pub chunk: usize,
    /// The most bytes of them, where that is not less than a tile's rows.
    pub chunk_bytes: usize,
    /// Rows whose terms are added to the gradient of the weights together; up to twice as many for wide layers, whose
    /// gradient no near cache holds while it takes them.
    pub terms: usize,
    /// How long threads that are called to share a sequence are waited for, in parts of the time it takes alone. They
    /// may be busy: after that it is run without them.
    pub patience: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Arch::new().into()
    }
}

/// What was measured to be fastest.
impl From<Arch> for Plan {
    fn from(arch: Arch) -> Self {
        Self { arch, ahead: 5, near: 1 << 16, chunk: 192, chunk_bytes: 1 << 20, terms: 256, patience: 0.25 }
    }
}

impl Plan {
    /// How many rows of `width` elements are made together.
    #[inline(always)]
    #[must_use]
    pub fn chunk_of<A>(&self, width: usize) -> usize {
        self.chunk.min((self.chunk_bytes / (width * size_of::<A>()).max(1)).max(TILE_ROWS))
    }
}

/// The fewest rows worth a product: those of a few tiles.
const TILE_ROWS: usize = 24;

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
