// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Storage for every RPC of an endpoint, reserved once; slots are reused, the last one freed first.
struct RPCTable: ~Copyable {
    static let none = UInt32.max

    /// One record per slot. Records up to `fresh` are initialised.
    let records: UnsafeMutablePointer<RPC>
    let capacity: UInt32
    private let nextFree: UnsafeMutablePointer<UInt32>
    private var freeHead = RPCTable.none
    private(set) var fresh: UInt32 = 0
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = UInt32(capacity)
        records = .allocate(capacity: capacity)
        nextFree = .allocate(capacity: capacity)
    }

    deinit {
        records.deallocate()
        nextFree.deallocate()
    }

    func at(_ slot: UInt32) -> UnsafeMutablePointer<RPC> { records + Int(slot) }

    /// A slot whose record holds nothing but the generation to use, or nil when the table is full.
    mutating func take() -> (slot: UInt32, generation: UInt32)? {
        if freeHead != Self.none {
            let slot = freeHead
            freeHead = nextFree[Int(slot)]
            count += 1
            return (slot, records[Int(slot)].generation &+ 1)
        }
        guard fresh < capacity else { return nil }
        fresh += 1
        count += 1
        return (fresh - 1, 1)
    }

    mutating func give(_ slot: UInt32) {
        records[Int(slot)].state = .free
        nextFree[Int(slot)] = freeHead
        freeHead = slot
        count -= 1
    }

    /// The slot of a handle that is still valid.
    func resolve(_ handle: RPCHandle) -> UInt32? {
        guard handle.slot < fresh, records[Int(handle.slot)].generation == handle.generation,
            records[Int(handle.slot)].state != .free
        else { return nil }
        return handle.slot
    }

    func handle(of slot: UInt32) -> RPCHandle {
        RPCHandle(slot: slot, generation: records[Int(slot)].generation)
    }
}
