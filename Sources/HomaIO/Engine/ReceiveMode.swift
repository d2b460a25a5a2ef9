// SPDX-License-Identifier: Apache-2.0

/// When a message's bytes come to where the application reads them.
public enum ReceiveMode: Sendable, Equatable {
    /// At once: each packet's payload is put into the bpages that the application will read. The default.
    case bpages
    /// When the message is complete: until then its packets are collected in the region, which only the
    /// transport uses; then the message is copied, in one go, into contiguous memory of its own, and that is
    /// what the application gets.
    ///
    /// Homa's first interface to applications worked like this. Copying does not overlap with the arrival of the
    /// message, and every byte is copied once more; in return every message lies in one piece, and an application
    /// that keeps messages does not use up the region, so that nothing holds its clients back.
    case copyAfterComplete
}
