// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

/// Each against a plain model of the standard library, under random use.
@Suite struct ContainerTests {
    private struct Record: BitwiseCopyable {
        var value: UInt64
        var links = SlabLinks()
    }

    private enum ByAge: SlabListKind {
        static func links(of element: UnsafeMutablePointer<Record>) -> UnsafeMutablePointer<SlabLinks> {
            withUnsafeMutablePointer(to: &element.pointee.links) { $0 }
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `a slab hands each slot to one record at a time, and lists through it keep their order`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var slab = Slab<Record>(capacity: 40)
        let view = SlabView(slab)
        var list = SlabList<ByAge>()
        var model: [UInt32: UInt64] = [:]
        var order: [UInt32] = []
        var dead: [(slot: UInt32, generation: UInt32)] = []
        for step in 0..<3000 as Range<UInt64> {
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                let slot = slab.insert(Record(value: step))
                #expect((slot == nil) == (model.count == 40))
                guard let slot else { continue }
                #expect(model[slot] == nil)
                model[slot] = step
            case 2:
                guard let slot = model.keys.sorted().randomElement(using: &random) else { continue }
                if order.contains(slot) { list.remove(slot, view) }
                order.removeAll { $0 == slot }
                dead.append((slot, slab.generation(of: slot)))
                slab.release(slot)
                model[slot] = nil
            case 3, 4:
                let free = model.keys.filter { !order.contains($0) }.sorted()
                guard let slot = free.randomElement(using: &random) else { continue }
                if let next = order.randomElement(using: &random), step % 3 == 0 {
                    list.insert(slot, before: next, view)
                    order.insert(slot, at: order.firstIndex(of: next)!)
                } else if step % 3 == 1 {
                    list.prepend(slot, view)
                    order.insert(slot, at: 0)
                } else {
                    list.append(slot, view)
                    order.append(slot)
                }
            default:
                guard let slot = order.randomElement(using: &random) else { continue }
                list.remove(slot, view)
                order.removeAll { $0 == slot }
            }
            slab.checkInvariants()
            list.checkInvariants(view)
            let live = slab.count
            #expect(live == model.count && list.count == order.count && list.first == order.first)
        }
        for (slot, value) in model {
            let kept = slab[slot].pointee.value
            #expect(kept == value)
        }
        for (slot, generation) in dead {
            let isLive = slab.isLive(slot, generation: generation)
            #expect(!isLive)
        }
        var walked: [UInt32] = []
        var next = list.first
        while let slot = next {
            walked.append(slot)
            next = list.next(after: slot, view)
        }
        #expect(walked == order)
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `an index finds what is stored and nothing else, also where hashes collide`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var index = FlatIndex(capacity: 100)
        let hashes = (0..<100).map { _ in UInt64.random(in: 0..<(seed % 2 == 0 ? 12 : .max), using: &random) }
        var stored: Set<UInt32> = []
        for _ in 0..<4000 {
            let value = UInt32.random(in: 0..<100, using: &random)
            if stored.contains(value) {
                index.remove(value, hash: hashes[Int(value)])
                stored.remove(value)
            } else {
                index.insert(value, hash: hashes[Int(value)])
                stored.insert(value)
            }
            index.checkInvariants()
            let other = UInt32.random(in: 0..<100, using: &random)
            let found = index.find(hashes[Int(other)]) { $0 == other }
            #expect(found == (stored.contains(other) ? other : nil))
        }
        let count = index.count
        #expect(count == stored.count)
    }

    @Test(arguments: [0.01, 0.05, 0.2, 0.5])
    func `of all bytes the oldest gets its share, and an idle time earns no burst`(fraction: Double) {
        var share = FIFOShare(fraction: fraction, limit: 50_000)
        var (oldest, others) = (0, 0)
        for _ in 0..<200_000 {
            if share.spend(1400) {
                oldest += 1400
            } else {
                share.earn(1400)
                others += 1400
            }
        }
        #expect(abs(Double(oldest) / Double(oldest + others) - fraction) < 0.002)
        share.earn(1 << 40)
        let (burst, more) = (share.spend(50_000), share.spend(1400))
        #expect(burst && !more)
        share.earn(1 << 40)
        share.forfeit()
        let forfeited = share.spend(1)
        #expect(!forfeited)
    }

    @Test func `without a share nothing is earned`() {
        var share = FIFOShare(fraction: 0)
        share.earn(1 << 30)
        let (one, none) = (share.spend(1), share.spend(0))
        #expect(!share.isOn && !one && !none)
    }
}
