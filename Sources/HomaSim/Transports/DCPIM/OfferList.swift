// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Requests that a sender collects during half a round, or grants that a receiver collects.
struct OfferList: ~Copyable {
    struct Offer: BitwiseCopyable {
        var peer: UInt16
        var channels: UInt8
        var idleChannels: UInt8
        /// Packets that remain of the shortest message it is about.
        var remaining: UInt32
        /// When that message began.
        var since: UInt64

        func precedes(_ other: Offer) -> Bool {
            if remaining != other.remaining { return remaining < other.remaining }
            return since == other.since ? peer < other.peer : since < other.since
        }
    }

    private var offers: UnsafeMutablePointer<Offer>
    private var capacity = 8
    private(set) var count = 0

    init() { offers = .allocate(capacity: 8) }

    deinit { offers.deallocate() }

    mutating func add(_ offer: Offer) {
        if count == capacity {
            let larger = UnsafeMutablePointer<Offer>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: offers, count: count)
            offers.deallocate()
            offers = larger
            capacity *= 2
        }
        (offers + count).initialize(to: offer)
        count += 1
    }

    mutating func clear() { count = 0 }

    /// Takes one out, of which there must be one: that about the shortest message, or a random one.
    mutating func take(shortestFirst: Bool, _ random: inout SeededRandom) -> Offer {
        var place = 0
        if shortestFirst {
            for other in 1..<max(count, 1) where offers[other].precedes(offers[place]) { place = other }
        } else {
            place = Int((random.next() >> 32 &* UInt64(count)) >> 32)
        }
        let offer = offers[place]
        count -= 1
        offers[place] = offers[count]
        return offer
    }
}

/// A short list of numbers in no order.
struct NumberList: ~Copyable {
    private var numbers: UnsafeMutablePointer<UInt32>
    private var capacity = 8
    private(set) var count = 0

    init() { numbers = .allocate(capacity: 8) }

    deinit { numbers.deallocate() }

    @inline(__always)
    subscript(place: Int) -> UInt32 { numbers[place] }

    mutating func add(_ number: UInt32) {
        if count == capacity {
            let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: numbers, count: count)
            numbers.deallocate()
            numbers = larger
            capacity *= 2
        }
        (numbers + count).initialize(to: number)
        count += 1
    }

    /// The last one takes the place.
    mutating func remove(at place: Int) {
        count -= 1
        numbers[place] = numbers[count]
    }

    mutating func remove(_ number: UInt32) {
        for place in 0..<count where numbers[place] == number { return remove(at: place) }
    }

    mutating func clear() { count = 0 }

    mutating func swap(_ other: inout NumberList) {
        Swift.swap(&numbers, &other.numbers)
        Swift.swap(&capacity, &other.capacity)
        Swift.swap(&count, &other.count)
    }
}
