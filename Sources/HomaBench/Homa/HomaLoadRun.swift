// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import HomaPosix

/// One run of a plan over Homa. All its tasks run on the node's thread, so its state needs no lock.
final class HomaLoadRun: @unchecked Sendable {
    private let plan: LoadPlan
    private let node: HomaNode
    private let servers: [HomaAddress]
    private let start: UInt64
    /// `start` on the node's clock.
    private let nodeStart: Instant
    private let end: UInt64
    private var sequence: RequestSequence
    private var recorder: LoadRecorder
    private var outstanding = 0
    private let executor: any TaskExecutor
    /// All who make calls. They are no children of a task group, which takes the longer to part with one the more it
    /// has: with ten thousand that alone held calls down to 10 000 a second.
    private var callers: [Task<Void, Never>] = []
    /// Open loop: those that wait for their next request.
    private var idleCallers: [UnsafeContinuation<ScheduledRequest?, Never>] = []
    /// The drain time is over: what fails now was cancelled by us, and counts as unfinished.
    private var isClosing = false

    init(plan: LoadPlan, node: HomaNode, servers: [HomaAddress], on executor: any TaskExecutor) {
        self.plan = plan
        self.executor = executor
        self.node = node
        self.servers = servers
        start = MonotonicClock.nanoseconds()
        nodeStart = node.now
        end = plan.window.end
        sequence = plan.makeSequence()
        recorder = LoadRecorder(plan: plan, protocolName: "homa")
    }

    private func now() -> UInt64 { MonotonicClock.nanoseconds() - start }

    nonisolated(nonsending) func run() async -> LoadResult {
        switch plan.pace {
        case .openLoop: await generate()
        case .closedLoop(let workers):
            for _ in 0..<workers { addCaller { await self.work() } }
            await sleep(until: end)
        }
        await drain()
        for caller in callers { caller.cancel() }
        for caller in idleCallers { caller.resume(returning: nil) }
        for caller in callers { await caller.value }
        return recorder.finish()
    }

    private func addCaller(_ body: @escaping @Sendable () async -> Void) {
        callers.append(Task(executorPreference: executor, operation: body))
    }

    // MARK: Open loop

    nonisolated(nonsending) private func generate() async {
        var next = sequence.next()
        var hitCap = false
        while next.intended < end {
            let time = now()
            if next.intended > time {
                await sleep(until: next.intended)
                continue
            }
            guard outstanding < plan.outstandingLimit else {
                if !hitCap { recorder.capHit() }
                hitCap = true
                guard time < end + plan.drain.wholeNanoseconds else { break }
                await sleep(until: time + 20_000)
                continue
            }
            let request = next
            recorder.issued(intended: request.intended, now: time)
            outstanding += 1
            if let caller = idleCallers.popLast() {
                caller.resume(returning: request)
            } else {
                addCaller { await self.makeCalls(from: request) }
            }
            next = sequence.next()
            hitCap = false
        }
        let time = now()
        while next.intended < end {
            recorder.abandoned(bytes: next.bytes, intended: next.intended, now: time)
            next = sequence.next()
        }
    }

    nonisolated(nonsending) private func makeCalls(from first: ScheduledRequest) async {
        var next: ScheduledRequest? = first
        while let request = next {
            await call(request, intended: request.intended)
            guard !isClosing else { return }
            next = await withUnsafeContinuation { idleCallers.append($0) }
        }
    }

    // MARK: Closed loop

    nonisolated(nonsending) private func work() async {
        while true {
            let time = now()
            guard time < end else { return }
            recorder.issued(intended: time, now: time)
            outstanding += 1
            await call(sequence.next(), intended: time)
        }
    }

    // MARK: Both

    nonisolated(nonsending) private func call(_ request: ScheduledRequest, intended: UInt64) async {
        let message = plan.message(for: request)
        do {
            // Of short messages the closure would be as large as the bytes.
            let reply =
                message.length <= 1024
                ? try await node.call(servers[request.target], sending: HomaBuffer(message))
                : try await node.call(servers[request.target], count: message.length) { message.write(to: &$0) }
            let intact = reply.matches(message.response)
            recorder.completed(request: message, intended: intended, now: now(), intact: intact)
        } catch {
            if isClosing {
                recorder.unfinished(bytes: request.bytes, intended: intended, now: now())
            } else {
                recorder.failed(bytes: request.bytes, intended: intended, now: now(), why: "\(error)")
            }
        }
        outstanding -= 1
    }

    /// Waits for what is outstanding, but not longer than the plan allows.
    nonisolated(nonsending) private func drain() async {
        let deadline = end + plan.drain.wholeNanoseconds
        while outstanding > 0, now() < deadline { await sleep(until: now() + 200_000) }
        isClosing = true
    }

    nonisolated(nonsending) private func sleep(until time: UInt64) async {
        try? await node.sleep(until: nodeStart.advanced(byNanoseconds: time))
    }
}
