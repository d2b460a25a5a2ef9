// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// What a CUTOFFS packet says: at which priority unscheduled bytes shall travel to the sender of this packet.
///
/// | bytes | field     | meaning                                                          |
/// |------:|-----------|------------------------------------------------------------------|
/// | 0–27  | common    | ``CommonHeader``                                                 |
/// | 28–59 | `cutoffs` | eight message lengths in bytes, one for each priority, 0 first   |
/// | 60–61 | `version` | names this table in DATA packets                                 |
///
/// A message travels at the highest priority whose cutoff is at least its length. Hence a more urgent level has a
/// smaller cutoff, or an equal one; 0 marks a level that no message uses. HomaModule 9edb958 starts with
/// 0, 0, 0, 0, 1 000 000, 15 000, 2 800, 200.
@frozen
public struct CutoffsFields: Sendable, BitwiseCopyable {
    /// Length in bytes, common header included.
    @inlinable
    public static var byteCount: Int { 62 }

    /// Longest message, in bytes, for each priority. Entries 1…7 are at most `Int32.max` and, zeros left out, never
    /// rise with the level. Entry 0 may be anything and means "no limit"; between peers with extensions it names the
    /// most bytes of each message that the sender of this packet wants unscheduled, 0 for no such wish.
    public var cutoffs: InlineArray<8, UInt32>
    /// The sender's name for this table; a host that has none yet says 0 in its DATA packets.
    public var version: UInt16

    @inlinable
    public init(cutoffs: InlineArray<8, UInt32>, version: UInt16) {
        self.cutoffs = cutoffs
        self.version = version
    }
}

extension CutoffsFields: Equatable {
    @inlinable
    public static func == (lhs: CutoffsFields, rhs: CutoffsFields) -> Bool {
        for level in 0..<HomaLimits.priorityLevels where lhs.cutoffs[level] != rhs.cutoffs[level] { return false }
        return lhs.version == rhs.version
    }
}

extension CutoffsFields {
    /// Reads and checks the fields of a packet at least `byteCount` long.
    @inlinable
    init(parsing packet: RawSpan) throws(WireError) {
        cutoffs = InlineArray(repeating: 0)
        cutoffs[0] = packet.bigEndian32(at: 28)
        version = packet.bigEndian16(at: 60)
        var bound = UInt32(Int32.max)
        for level in 1..<HomaLimits.priorityLevels {
            let cutoff = packet.bigEndian32(at: 28 + 4 * level)
            guard cutoff <= Int32.max else { throw .cutoffTooLarge }
            guard cutoff <= bound else { throw .cutoffsRising }
            if cutoff != 0 { bound = cutoff }
            cutoffs[level] = cutoff
        }
    }

    /// Writes bytes 28–61.
    @inlinable
    func write(to start: UnsafeMutableRawPointer) {
        for level in 0..<HomaLimits.priorityLevels { start.put(cutoffs[level], at: 28 + 4 * level) }
        start.put(version, at: 60)
    }
}

extension CutoffsFields: CustomStringConvertible {
    /// Such as `v1 0 0 0 0 1000000 15000 2800 200`, level 0 first.
    public var description: String {
        var text = "v\(version)"
        for level in 0..<HomaLimits.priorityLevels { text += " \(cutoffs[level])" }
        return text
    }
}
