// SPDX-License-Identifier: Apache-2.0

import HomaBase

@testable import HomaCore

/// A message as one flag per byte: slow, and hard to get wrong.
struct ByteModel {
    var here: [Bool]

    init(length: Int) { here = Array(repeating: false, count: length) }

    /// Marks the range and returns how many of its bytes are new.
    mutating func arrive(_ range: Range<UInt32>) -> Int {
        var fresh = 0
        for byte in range where !here[Int(byte)] {
            here[Int(byte)] = true
            fresh += 1
        }
        return fresh
    }

    var end: Int { (here.lastIndex(of: true) ?? -1) + 1 }
    var received: Int { here.count { $0 } }

    /// Runs of missing bytes below `end`.
    var gaps: [Range<UInt32>] {
        runs(where: { !here[$0] }, below: end)
    }

    /// Runs of marked bytes.
    var marked: [Range<UInt32>] { runs(where: { here[$0] }, below: here.count) }

    private func runs(where condition: (Int) -> Bool, below end: Int) -> [Range<UInt32>] {
        var result: [Range<UInt32>] = []
        var position = 0
        while position < end {
            guard condition(position) else {
                position += 1
                continue
            }
            let start = position
            while position < end, condition(position) { position += 1 }
            result.append(UInt32(start)..<UInt32(position))
        }
        return result
    }
}

extension RangePool {
    /// The ranges of a list, in order; also walks the links and checks count and tail.
    func ranges(of list: RangeList) -> [Range<UInt32>] {
        var result: [Range<UInt32>] = []
        var index = list.head
        var last = RangePool.none
        while result.count < Int(list.count), let (range, next) = node(index) {
            result.append(range)
            last = index
            index = next
        }
        precondition(result.count == Int(list.count), "the list is shorter than its count")
        precondition(list.isEmpty || (last == list.tail && index == RangePool.none), "the list's tail is wrong")
        return result
    }
}
