// SPDX-License-Identifier: Apache-2.0

/// Figures of buffers and links between two moments, taken from the network.
extension Network {
    /// Forgets what has been measured so far; occupancies start from what is there now.
    mutating func beginMeasurement(at now: UInt64) {
        for number in 0..<switchCount { advanceAll(of: switches + number, to: now) }
        measuredSince = now
        wasted = 0
        for host in 0..<hosts { wantNoted[host] = now }
        for tier in 0..<4 { tierOccupancy[tier].clear() }
        for level in 0..<32 { priorityOccupancy[level].clear() }
        for index in 0..<portCount {
            let port = ports + index
            port.pointee.area = 0
            port.pointee.lastChange = now
            port.pointee.maximumBytes = port.pointee.queuedBytes
            // The rest of the packet being sent belongs to the time measured.
            port.pointee.busyTime =
                port.pointee.isSending ? port.pointee.busyUntil - min(now, port.pointee.busyUntil) : 0
            port.pointee.drops = 0
            for queue in index << 3..<index << 3 + 8 {
                queues[queue].area = 0
                queues[queue].lastChange = now
                queues[queue].packets = 0
                queues[queue].wireBytes = 0
                queues[queue].maximumBytes = queues[queue].bytes
            }
        }
        for number in 0..<switchCount {
            let one = switches + number
            one.pointee.maximumDownlinkBytes = one.pointee.downlinkBytes
            one.pointee.maximumUplinkBytes = one.pointee.uplinkBytes
            one.pointee.maximumBytes = one.pointee.downlinkBytes + one.pointee.uplinkBytes
        }
    }

    /// Fills in tiers, ports and wasted bandwidth for the time since `beginMeasurement`.
    mutating func fill(_ result: inout SimulationResult, at now: UInt64, perPort: Bool) {
        for number in 0..<switchCount { advanceAll(of: switches + number, to: now) }
        for index in 0..<portCount {
            noteOccupancy(ports + index, at: now)
            for priority in 0..<8 {
                noteOccupancy(queues + (index << 3 + priority), of: ports + index, UInt8(priority), at: now)
            }
        }
        for host in 0..<hosts where !ports[hosts + host].isSending { noteUse(ports + (hosts + host), at: now) }
        let elapsed = Double(max(1, now - measuredSince))
        result.measuredTime = Duration(picoseconds: now - measuredSince)
        result.wastedBandwidth = wasted / elapsed / Double(hosts)
        for tier in Tier.allCases {
            var members: [Int] = []
            for index in 0..<portCount where ports[index].tier == tier { members.append(index) }
            if !members.isEmpty { result.tiers.append(tierResult(tier, members, elapsed: elapsed, at: now)) }
        }
        guard perPort else { return }
        for index in 0..<portCount { result.ports.append(portResult(index, elapsed: elapsed, at: now)) }
    }

    private func busyShare(_ index: Int, elapsed: Double, at now: UInt64) -> Double {
        let port = ports[index]
        // What is still being sent belongs to the time after.
        let later = port.isSending && port.busyUntil > now ? port.busyUntil - now : 0
        return Double(port.busyTime - min(later, port.busyTime)) / elapsed
    }

    private func bitsPerSecond(_ index: Int) -> Double { 8.192e15 / Double(ports[index].picosecondsPerKiB) }

    private func tierResult(_ tier: Tier, _ members: [Int], elapsed: Double, at now: UInt64) -> TierResult {
        var queue = OccupancySummary()
        queue.bitsPerSecond = bitsPerSecond(members[0])
        var utilisation = 0.0
        var maximumUtilisation = 0.0
        for index in members {
            queue.maximumBytes = max(queue.maximumBytes, ports[index].maximumBytes)
            queue.meanBytes += ports[index].area / elapsed / Double(members.count)
            let share = busyShare(index, elapsed: elapsed, at: now)
            utilisation += share / Double(members.count)
            maximumUtilisation = max(maximumUtilisation, share)
        }
        queue.fillPercentiles(tierOccupancy[Int(tier.rawValue)])
        var priorities: [PriorityResult] = []
        for priority in 0..<8 { priorities.append(priorityResult(tier, priority, members, elapsed: elapsed)) }
        return TierResult(
            name: tier.name, ports: members.count, queue: queue, utilisation: utilisation,
            maximumUtilisation: maximumUtilisation, priorities: priorities)
    }

    private func priorityResult(
        _ tier: Tier, _ priority: Int, _ members: [Int], elapsed: Double
    ) -> PriorityResult {
        var result = PriorityResult(priority: priority)
        result.queue.bitsPerSecond = bitsPerSecond(members[0])
        for index in members {
            let queue = queues[index << 3 + priority]
            result.packets += queue.packets
            result.wireBytes += queue.wireBytes
            result.queue.maximumBytes = max(result.queue.maximumBytes, queue.maximumBytes)
            result.queue.meanBytes += queue.area / elapsed / Double(members.count)
        }
        result.queue.fillPercentiles(priorityOccupancy[Int(tier.rawValue) << 3 + priority])
        return result
    }

    private func portResult(_ index: Int, elapsed: Double, at now: UInt64) -> PortResult {
        let port = ports[index]
        var queue = OccupancySummary()
        queue.maximumBytes = port.maximumBytes
        queue.meanBytes = port.area / elapsed
        queue.bitsPerSecond = bitsPerSecond(index)
        let origin = port.owner < 0 ? "host \(index)" : switchName(Int(port.owner))
        let end =
            switch port.endsAt {
            case .host: "host"
            case .leaf: "leaf"
            case .spine: "spine"
            }
        return PortResult(
            name: "\(origin) → \(end) \(port.end)", queue: queue,
            utilisation: busyShare(index, elapsed: elapsed, at: now), drops: port.drops)
    }

    func switchName(_ number: Int) -> String {
        let state = switches[number]
        return state.kind == .leaf ? "leaf \(state.number)" : "spine \(state.number)"
    }

    /// The bandwidth of some ports together.
    func bitsPerSecond(_ range: Range<Int>) -> Double {
        var sum = 0.0
        for index in range { sum += bitsPerSecond(index) }
        return sum
    }
}

extension OccupancySummary {
    mutating func fillPercentiles(_ histogram: LogHistogram) {
        medianBytes = min(maximumBytes, Int(histogram.quantile(0.5)))
        p90Bytes = min(maximumBytes, Int(histogram.quantile(0.9)))
        p99Bytes = min(maximumBytes, Int(histogram.quantile(0.99)))
        p999Bytes = min(maximumBytes, Int(histogram.quantile(0.999)))
    }
}
