//! How work is done: on which of this machine's instruction sets, and how many rows at a time.

pub use pulp::Arch;

/// How a pass is divided. None of this changes a bit of a result.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The instruction set.
    pub arch: Arch,
    /// Steps of fewer rows than this fill no tile of the kernel. Their input products are made for many steps
    /// together.
    pub ahead: usize,
    /// So are those of layers of more weights than this: two matrices at once would not stay in cache.
    pub near: usize,
    /// The most rows whose input products are made together, and that pass through all layers together. Enough
    /// keep the kernel at full speed; few enough, and their sums and the rows between two layers are still in
    /// cache when they are read.
    pub chunk: usize,
    /// The most bytes of these rows, unless that is less than a few tiles' rows.
    pub chunk_bytes: usize,
    /// How many rows' terms are added to the gradient of the weights together. For wide layers it is up to twice
    /// as many, since no near cache holds their gradient meanwhile.
    pub terms: usize,
    /// How long a pass waits for threads that are called to share a sequence, as a part of the time that one
    /// thread takes. They may be busy; after that time the pass goes on without them.
    pub patience: f64,
}

impl Default for Plan {
    fn default() -> Self {
        fastest().into()
    }
}

/// The values that were measured to be fastest.
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

/// The fewest rows worth a product: those of four tiles.
const TILE_ROWS: usize = 24;

/// The instruction set that is fastest here.
///
/// Not WebAssembly's vectors, which pulp would choose: they have no fused multiply-add, and the kernels make up for that
/// without an instruction set alone. A forward pass of 18 ms would take 147.
#[must_use]
pub fn fastest() -> Arch {
    if cfg!(target_family = "wasm") { Arch::Scalar } else { Arch::new() }
}

/// Every instruction set that this machine has and that the kernels are compiled for, the plainest first.
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
