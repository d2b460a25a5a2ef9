// SPDX-License-Identifier: Apache-2.0

// Addresses, settings and listings of the lower targets are part of this one's interface; with these
// lines `import Homa` is all that an application writes.
@_exported public import HomaBase
@_exported public import HomaBuffers
@_exported public import HomaCore
@_exported public import struct HomaIO.UDPStatistics
