// SPDX-License-Identifier: Apache-2.0

/// Finds small integers (slots) by the hash of what they stand for: open addressing in one block of memory, eight bytes
/// an entry, without tombstones.
///
/// The index keeps part of each hash and asks the caller whether a slot is the one looked for, so keys lie in the
/// records alone. Callers key their hashes with a secret, or a remote host could aim at collisions.
@frozen
public struct FlatIndex: ~Copyable {
    /// The upper half is the lower half of the hash, the lower half the value + 1; 0: empty.
    @usableFromInline let entries: UnsafeMutablePointer<UInt64>
    @usableFromInline let mask: Int
    @usableFromInline var stored = 0

    /// Room for so many values, with at least as many places left over.
    public init(capacity: Int) {
        var size = 64
        while size < capacity * 2 { size *= 2 }
        mask = size - 1
        entries = UnsafeMutableRawPointer.allocate(byteCount: size * MemoryLayout<UInt64>.stride, alignment: 64)
            .bindMemory(to: UInt64.self, capacity: size)
        entries.initialize(repeating: 0, count: size)
    }

    deinit { entries.deallocate() }

    /// Values stored.
    @inlinable
    public var count: Int { stored }

    @inlinable
    @inline(__always)
    static func entry(_ value: UInt32, hash: UInt64) -> UInt64 { hash << 32 | UInt64(value) + 1 }

    @inlinable
    @inline(__always)
    static func value(_ entry: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: entry &- 1) }

    /// The lower half of the hash, which an entry keeps, decides its place.
    @inlinable
    @inline(__always)
    func home(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash & 0xFFFF_FFFF) & mask }

    /// The value with this hash that is the one looked for.
    @inlinable
    @inline(__always)
    public func find(_ hash: UInt64, where isWanted: (UInt32) -> Bool) -> UInt32? {
        var position = home(hash)
        while entries[position] != 0 {
            let entry = entries[position]
            if entry >> 32 == hash & 0xFFFF_FFFF, isWanted(Self.value(entry)) { return Self.value(entry) }
            position = (position + 1) & mask
        }
        return nil
    }

    /// Adds a value that is not stored.
    @inlinable
    public mutating func insert(_ value: UInt32, hash: UInt64) {
        precondition(stored <= mask / 2, "an index is full")
        var position = home(hash)
        while entries[position] != 0 {
            assert(entries[position] != Self.entry(value, hash: hash), "\(value) is stored already")
            position = (position + 1) & mask
        }
        entries[position] = Self.entry(value, hash: hash)
        stored += 1
    }

    /// Removes a value and closes the gap.
    @inlinable
    public mutating func remove(_ value: UInt32, hash: UInt64) {
        var hole = home(hash)
        while entries[hole] != Self.entry(value, hash: hash) {
            precondition(entries[hole] != 0, "an index does not hold what is to be removed")
            hole = (hole + 1) & mask
        }
        var position = (hole + 1) & mask
        while entries[position] != 0 {
            let wanted = home(entries[position] >> 32)
            if (position &- wanted) & mask >= (position &- hole) & mask {
                entries[hole] = entries[position]
                hole = position
            }
            position = (position + 1) & mask
        }
        entries[hole] = 0
        stored -= 1
    }

    /// Traps unless every entry is found from its home on, and as many are stored as are counted.
    public func checkInvariants() {
        var counted = 0
        for position in 0...mask where entries[position] != 0 {
            counted += 1
            var step = home(entries[position] >> 32)
            while step != position {
                precondition(entries[step] != 0, "an entry of an index cannot be found")
                step = (step + 1) & mask
            }
        }
        precondition(counted == stored, "an index counts \(stored) and holds \(counted)")
    }
}
