// SPDX-License-Identifier: Apache-2.0

/// The part of a service that the oldest of those who wait gets, whatever the order of the others: Homa's FIFO share,
/// without which the longest message could wait for ever behind shorter ones.
///
/// For every byte that others get, the oldest earns a credit; what it gets is paid from that. The credit is bounded, so
/// that a long time in which it asked for nothing does not become a burst.
@frozen
public struct FIFOShare: BitwiseCopyable, Sendable {
    /// What is earned for each byte of others.
    @usableFromInline let rate: Double
    @usableFromInline let limit: Double
    /// Bytes earned and not spent.
    @usableFromInline var credit = 0.0

    /// - Parameters:
    ///   - fraction: of all bytes, 0 ..< 1; those of the oldest itself are among them.
    ///   - limit: most credit, in bytes.
    public init(fraction: Double, limit: Double = .infinity) {
        precondition((0..<1).contains(fraction), "a share of \(fraction)")
        rate = fraction / (1 - fraction)
        self.limit = limit
    }

    /// Whether there is a share at all.
    @inlinable
    public var isOn: Bool { rate > 0 }

    /// Others got so many bytes.
    @inlinable
    public mutating func earn(_ bytes: Int) { credit = min(limit, credit + Double(bytes) * rate) }

    /// Pays for so many bytes of the oldest. False, with nothing changed, when it has not earned them.
    @inlinable
    public mutating func spend(_ bytes: Int) -> Bool {
        guard isOn, credit >= Double(bytes) else { return false }
        credit -= Double(bytes)
        return true
    }

    /// Nobody waits: what was earned is lost.
    @inlinable
    public mutating func forfeit() { credit = 0 }
}
