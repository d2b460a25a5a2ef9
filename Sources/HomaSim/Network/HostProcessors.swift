// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The processors that copy payload to applications: one in each host, which does one thing after the other.
///
/// Only for scenarios that give hosts a copy rate. Who asks it to copy something hears from it when that is done, or
/// at once when there is nothing to copy and nothing before it.
struct HostProcessors: ~Copyable {
    /// Something to be copied: a packet's place in the store, or a message's token.
    struct Job: BitwiseCopyable {
        var item: UInt64
        var bytes: UInt32
    }

    /// What waits in one host, first come first served; the first is being copied.
    private struct Queue {
        var jobs: [Job] = []
        var first = 0
        var isBusy = false

        var isEmpty: Bool { first == jobs.count }
    }

    private let queues: UnsafeMutablePointer<Queue>
    private let hosts: Int
    private let picosecondsPerKiB: UInt64

    init(_ topology: TopologyConfiguration) {
        hosts = topology.hostCopyRate == nil ? 0 : topology.hostCount
        picosecondsPerKiB = topology.hostCopyRate.map { Port.picosecondsPerKiB(bitsPerSecond: $0.bitsPerSecond) } ?? 0
        queues = .allocate(capacity: max(1, hosts))
        queues.initialize(repeating: Queue(), count: hosts)
    }

    deinit {
        queues.deinitialize(count: hosts)
        queues.deallocate()
    }

    private func picoseconds(_ bytes: UInt32) -> UInt64 { (UInt64(bytes) &* picosecondsPerKiB &+ 1023) >> 10 }

    /// Gives the processor something to copy. Nil when it has other things to do first; else when this will be
    /// copied, counted from now.
    mutating func add(_ job: Job, to host: UInt16) -> UInt64? {
        let queue = queues + Int(host)
        queue.pointee.jobs.append(job)
        if queue.pointee.isBusy { return nil }
        queue.pointee.isBusy = true
        return picoseconds(job.bytes)
    }

    /// Takes what has been copied.
    mutating func finish(_ host: UInt16) -> Job {
        let queue = queues + Int(host)
        let job = queue.pointee.jobs[queue.pointee.first]
        queue.pointee.first += 1
        if queue.pointee.isEmpty {
            queue.pointee.jobs.removeAll(keepingCapacity: true)
            queue.pointee.first = 0
        } else if queue.pointee.first > 1024, queue.pointee.first * 2 > queue.pointee.jobs.count {
            queue.pointee.jobs.removeFirst(queue.pointee.first)
            queue.pointee.first = 0
        }
        return job
    }

    /// Turns to what comes next: when that will be copied, counted from now, or nil if there is nothing.
    mutating func next(_ host: UInt16) -> UInt64? {
        let queue = queues + Int(host)
        guard !queue.pointee.isEmpty else {
            queue.pointee.isBusy = false
            return nil
        }
        return picoseconds(queue.pointee.jobs[queue.pointee.first].bytes)
    }
}
