// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaIO
internal import Logging

/// What a node had not finished when its drain came to its limit.
public struct HomaRemains: Equatable, Sendable {
    /// Requests that handlers have, or that wait for one, or of which a part is missing.
    public let unansweredRequests: Int
    /// Answers, and one-way messages of this node, that the other side has not said to have.
    public let unacknowledgedMessages: Int

    /// Nothing was left: the node can end, and nobody loses anything.
    public var isNothing: Bool { unansweredRequests == 0 && unacknowledgedMessages == 0 }
}

extension HomaNode {
    /// Prepares the end of the node: from now on it takes no new requests, and what it has is brought to its end.
    ///
    /// Clients of new requests are told at once, by an error with code `serverDraining`, that the request has not run
    /// and may be sent elsewhere; clients without this project's extensions hear nothing. Sockets stay open, and
    /// handlers go on with what has arrived or has begun to, and may make calls. This returns when all of it is
    /// answered and the clients have the answers, or at the limit. Call ``shutdown(within:)`` then; a drain cannot be
    /// taken back.
    ///
    /// Cancelling the task ends the wait, not the drain.
    ///
    /// - Parameter limit: longest wait; zero: none.
    /// - Returns: what is left.
    @discardableResult
    public func drain(for limit: Duration) async -> HomaRemains {
        for engine in engines { engine.beginDraining() }
        logger.debug("Homa node drains", metadata: ["udp_address": "\(engine.localAddress)"])
        let end = engine.now + limit
        // Short at first, since most of it is over soon.
        var pause: UInt64 = 200_000
        while true {
            let work = await unfinishedWork()
            guard !work.isNone, engine.now < end, !Task.isCancelled else {
                return HomaRemains(
                    unansweredRequests: work.unanswered, unacknowledgedMessages: work.unacknowledged)
            }
            _ = await engine.sleep(until: min(end, engine.now.advanced(byNanoseconds: pause)))
            pause = min(pause * 2, 10_000_000)
        }
    }

    private func unfinishedWork() async -> UnfinishedWork {
        var sum = UnfinishedWork()
        for engine in engines { if let work = await engine.unfinishedWork() { sum.add(work) } }
        return sum
    }
}
