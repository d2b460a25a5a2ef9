// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers

/// The memory of a modelled receiver under one of the three structures.
struct ReceiverMemory {
    /// What a message, or a part of it, holds.
    enum Holding {
        case lease(BufferLease)
        case slots([Int])
    }

    private let structure: ReceiverModel.Structure
    private let pool: BufferPool?
    private let slotBytes: Int
    /// Free slots, the lowest last.
    private var free: [Int] = []
    private let slotCount: Int
    /// Pages of 4 KB that have been written to, as an operating system would have to map.
    private var touched: [Bool]
    private(set) var touchedPages = 0
    /// Bytes that messages hold, with all that is wasted in their buffers; without packing, which the pool knows.
    private(set) var heldSlots = 0
    private(set) var mostSlots = 0

    private static let systemPage = 4_096
    private static let longest = 1_000_000

    init(_ model: ReceiverModel) {
        structure = model.structure
        touched = Array(repeating: false, count: model.regionBytes / Self.systemPage + 1)
        switch model.structure {
        case .bpages:
            slotBytes = model.bpageBytes
            pool = try? BufferPool(
                PoolConfiguration(
                    regionLength: model.regionBytes, bpageSize: model.bpageBytes, maximumLeases: 1 << 17,
                    reservedPages: model.regionBytes / model.bpageBytes > 32 ? nil : 0))
        case .messageBuffers:
            slotBytes = Self.longest
            pool = nil
        case .packetBuffers:
            slotBytes = model.packetBytes
            pool = nil
        }
        slotCount = model.regionBytes / slotBytes
        if pool == nil { free = Array((0..<slotCount).reversed()) }
    }

    /// Memory for so many bytes, or nil.
    mutating func take(_ bytes: Int, at now: UInt64) -> Holding? {
        if let pool {
            guard let lease = pool.allocate(bytes, shard: 0, at: Instant(nanoseconds: now)) else { return nil }
            touch(lease, bytes, pool)
            return .lease(lease)
        }
        let count = structure == .messageBuffers ? 1 : (bytes + slotBytes - 1) / slotBytes
        guard free.count >= count else { return nil }
        let slots = Array(free.suffix(count))
        free.removeLast(count)
        heldSlots += count
        mostSlots = max(mostSlots, heldSlots)
        var rest = bytes
        for slot in slots {
            touch(from: slot * slotBytes, bytes: min(rest, slotBytes))
            rest -= slotBytes
        }
        return .slots(slots)
    }

    mutating func give(back holding: Holding) {
        switch holding {
        case .lease(let lease): _ = try? pool?.release(lease)
        case .slots(let slots):
            free += slots
            heldSlots -= slots.count
        }
    }

    /// Pieces that so many bytes lie in: what the receiver has to keep for the message.
    func pieces(_ bytes: Int) -> Int {
        switch structure {
        case .bpages, .packetBuffers: (bytes + slotBytes - 1) / slotBytes
        case .messageBuffers: 1
        }
    }

    /// Bytes that are taken from the region now.
    var heldBytes: Int { pool.map { $0.statistics.pagesInUse * slotBytes } ?? heldSlots * slotBytes }
    /// The most that ever were.
    var mostBytes: Int { pool.map { $0.statistics.highWaterMark * slotBytes } ?? mostSlots * slotBytes }
    /// Bytes that have been written to at least once, in pages of the system.
    var touchedBytes: Int { touchedPages * Self.systemPage }

    private mutating func touch(_ lease: BufferLease, _ bytes: Int, _ pool: BufferPool) {
        var offset = 0
        while offset < bytes {
            let piece = pool.piece(of: lease, at: offset)
            touch(from: piece.regionOffset, bytes: piece.byteCount)
            offset += piece.byteCount
        }
    }

    private mutating func touch(from offset: Int, bytes: Int) {
        for page in offset / Self.systemPage...(offset + max(1, bytes) - 1) / Self.systemPage where !touched[page] {
            touched[page] = true
            touchedPages += 1
        }
    }
}
