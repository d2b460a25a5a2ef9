// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The messages of one peer that wait for a place among those granted to: a pairing heap threaded
/// through the RPC records, so that it needs no storage of its own, and any message can leave it
/// in O(log n) amortised.
///
/// Order: fewest bytes not yet received first, then the oldest. The order of a message changes
/// when data arrives for it; it is taken out before and put back after.
struct GrantQueue {
    let records: SlabView<RPC>
    private static var none: UInt32 { RPCStore.none }

    private func at(_ slot: UInt32) -> UnsafeMutablePointer<RPC> { records[slot] }

    /// Whether `one` is to be granted to before `other`.
    func outranks(_ one: UInt32, _ other: UInt32) -> Bool {
        let left = at(one).pointee.incoming.remaining
        let right = at(other).pointee.incoming.remaining
        if left != right { return left < right }
        let leftBirth = at(one).pointee.birth
        let rightBirth = at(other).pointee.birth
        return leftBirth == rightBirth ? one < other : leftBirth < rightBirth
    }

    func insert(_ slot: UInt32, root: inout UInt32) {
        at(slot).pointee.incoming.child = Self.none
        at(slot).pointee.incoming.sibling = Self.none
        at(slot).pointee.incoming.previous = Self.none
        root = root == Self.none ? slot : meld(root, slot)
    }

    func remove(_ slot: UInt32, root: inout UInt32) {
        let children = mergePairs(at(slot).pointee.incoming.child)
        if slot == root {
            root = children
            return
        }
        let previous = at(slot).pointee.incoming.previous
        let sibling = at(slot).pointee.incoming.sibling
        if at(previous).pointee.incoming.child == slot {
            at(previous).pointee.incoming.child = sibling
        } else {
            at(previous).pointee.incoming.sibling = sibling
        }
        if sibling != Self.none { at(sibling).pointee.incoming.previous = previous }
        if children != Self.none { root = meld(root, children) }
    }

    /// Joins two heaps; both roots are without siblings.
    private func meld(_ one: UInt32, _ other: UInt32) -> UInt32 {
        let (parent, child) = outranks(one, other) ? (one, other) : (other, one)
        let first = at(parent).pointee.incoming.child
        at(child).pointee.incoming.previous = parent
        at(child).pointee.incoming.sibling = first
        if first != Self.none { at(first).pointee.incoming.previous = child }
        at(parent).pointee.incoming.child = child
        at(parent).pointee.incoming.sibling = Self.none
        at(parent).pointee.incoming.previous = Self.none
        return parent
    }

    /// Joins a list of siblings into one heap: pairs from the left, then all from the right.
    private func mergePairs(_ first: UInt32) -> UInt32 {
        var pairs = Self.none
        var slot = first
        while slot != Self.none {
            let partner = at(slot).pointee.incoming.sibling
            let following = partner == Self.none ? Self.none : at(partner).pointee.incoming.sibling
            detach(slot)
            var joined = slot
            if partner != Self.none {
                detach(partner)
                joined = meld(slot, partner)
            }
            at(joined).pointee.incoming.sibling = pairs
            pairs = joined
            slot = following
        }
        var root = Self.none
        while pairs != Self.none {
            let following = at(pairs).pointee.incoming.sibling
            detach(pairs)
            root = root == Self.none ? pairs : meld(root, pairs)
            pairs = following
        }
        return root
    }

    private func detach(_ slot: UInt32) {
        at(slot).pointee.incoming.sibling = Self.none
        at(slot).pointee.incoming.previous = Self.none
    }
}
