#pragma once

namespace organon {

/// Blocks of up to 8 MiB that are freed stay with the process, for the next of their size: chunks come and
/// go by thousands, and the kernel would clear each page of each anew. Up to 64 MiB of them at the heap's
/// end are kept. To be called once, before threads begin; without effect where the C library is not glibc.
///
/// Measured: 64^3 uint64 labels are written 2.2 times faster (docs/results.md).
void keep_freed_memory();

}  // namespace organon
