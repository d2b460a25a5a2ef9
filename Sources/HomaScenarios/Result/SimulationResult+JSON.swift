// SPDX-License-Identifier: Apache-2.0

public import HomaSim

extension SimulationResult {
    /// The result as one object: the figures most asked for first, then everything, then the whole scenario.
    ///
    /// It depends on the scenario alone: the same seed gives the same bytes. What a run cost on some machine is added
    /// by ``MachineFigures/adding(to:)``.
    public var json: JSONValue {
        .object(
            headline + messageDetails + networkDetails + [
                .init("conservation", conservation.json), .init("homa", homa.map { JSONValue(counters: $0) } ?? .null),
                .init("tcp", tcp?.json ?? .null), .init("dcpim", dcpim?.json ?? .null),
                .init("endpoint_in_use", scenario.endpointInUse.map { JSONValue(settings: $0) } ?? .null),
                .init("scenario", scenario.json),
            ])
    }

    private var headline: [JSONValue.Member] {
        [
            .init("name", .string(scenario.name)), .init("seed", .integer(scenario.seed)),
            .init("failure", failure.map { .string($0) } ?? .null),
            .init("messages", .integer(messages)), .init("messages_incomplete", .integer(messagesIncomplete)),
            .init("messages_failed", .integer(messagesFailed)),
            .init("slowdown_mean", .double(slowdown.mean)), .init("slowdown_median", .double(slowdown.median)),
            .init("slowdown_p99", .double(slowdown.p99)),
            .init("slowdown_p99_by_size_percentile", byPercentile { $0.p99 }),
            .init("slowdown_median_by_size_percentile", byPercentile { $0.median }),
            .init("host_downlink_queue_max_bytes", .integer(hostDownlinkQueueMaximumBytes)),
            .init("host_downlink_queue_mean_bytes", .double(tier("host_downlink")?.queue.meanBytes ?? 0)),
            .init("switch_buffer_max_bytes", .integer(switchBufferMaximumBytes)),
            .init("switch_buffer_max_us", .double(switchBufferMaximumMicroseconds)),
            .init("drops", .integer(drops.reduce(0) { $0 + $1.packets })),
            .init("wasted_bandwidth", .double(wastedBandwidth)),
            .init("packet_hops", .integer(packetHops)), .init("events", .integer(events)),
            .init("simulated_seconds", .seconds(simulatedTime)), .init("measured_seconds", .seconds(measuredTime)),
        ]
    }

    private func byPercentile(_ figure: (SampleSummary) -> Double) -> JSONValue {
        .object(
            sizePercentiles.map {
                .init(
                    JSONValue.double($0.percentile).description,
                    $0.slowdown.count > 0 ? .double(figure($0.slowdown)) : .null)
            })
    }

    private var messageDetails: [JSONValue.Member] {
        [
            .init("slowdown", slowdown.json), .init("completion_us", completionMicroseconds.json),
            .init(
                "size_bins",
                .array(
                    sizeBins.map { bin in
                        .object([
                            .init("from_percentile", .double(bin.fromPercentile)),
                            .init("to_percentile", .double(bin.toPercentile)),
                            .init("max_bytes", .integer(bin.maximumBytes)), .init("slowdown", bin.slowdown.json),
                            .init("completion_us", bin.completionMicroseconds.json),
                        ])
                    })),
            .init(
                "size_percentiles",
                .array(
                    sizePercentiles.map { place in
                        .object([
                            .init("percentile", .double(place.percentile)),
                            .init("from_percentile", .double(place.fromPercentile)),
                            .init("to_percentile", .double(place.toPercentile)), .init("bytes", .integer(place.bytes)),
                            .init("slowdown", place.slowdown.json),
                        ])
                    })),
        ]
    }

    private var networkDetails: [JSONValue.Member] {
        [
            .init("tiers", .array(tiers.map(\.json))), .init("switches", .array(switches.map(\.json))),
            .init("ports", .array(ports.map(\.json))), .init("series", .array(series.map(\.json))),
            .init(
                "drops_by_reason",
                .object(
                    drops.map {
                        .init(
                            $0.reason,
                            .object([
                                .init("packets", .integer($0.packets)), .init("wire_bytes", .integer($0.wireBytes)),
                            ]))
                    })),
            .init(
                "packets_by_kind",
                .object(
                    packetsByKind.map {
                        .init(
                            $0.kind,
                            .object([
                                .init("packets", .integer($0.packets)), .init("wire_bytes", .integer($0.wireBytes)),
                                .init("payload_bytes", .integer($0.payloadBytes)),
                            ]))
                    })),
        ]
    }
}

extension JSONValue {
    /// A time in seconds, exactly.
    static func seconds(_ time: Duration) -> JSONValue {
        .number(ExactDecimal(digits: time.attoseconds, exponent: -18).text)
    }

    /// A struct of counters as an object, `grantsSent` as `grants_sent`: whatever counters there are.
    init(counters: some Any) {
        self = .object(
            Mirror(reflecting: counters).children.compactMap { child in
                guard let label = child.label, let value = child.value as? UInt64 else { return nil }
                return .init(Self.snakeCase(label), .integer(value))
            })
    }

    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { out, letter in
            if letter.isUppercase, out.last?.isUppercase == false { out += "_" }
            out += letter.lowercased()
        }
    }
}

extension SampleSummary {
    var json: JSONValue {
        .object([
            .init("count", .integer(count)), .init("mean", .double(mean)), .init("median", .double(median)),
            .init("p99", .double(p99)), .init("p999", .double(p999)), .init("max", .double(maximum)),
        ])
    }
}

extension OccupancySummary {
    var json: JSONValue {
        .object([
            .init("max_bytes", .integer(maximumBytes)), .init("mean_bytes", .double(meanBytes)),
            .init("median_bytes", .integer(medianBytes)), .init("p90_bytes", .integer(p90Bytes)),
            .init("p99_bytes", .integer(p99Bytes)), .init("p999_bytes", .integer(p999Bytes)),
            .init("max_us", .double(maximumMicroseconds)), .init("mean_us", .double(meanMicroseconds)),
            .init("p99_us", .double(p99Microseconds)), .init("bits_per_second", .double(bitsPerSecond)),
        ])
    }
}

extension TierResult {
    var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("ports", .integer(ports)), .init("queue", queue.json),
            .init("utilisation", .double(utilisation)), .init("max_utilisation", .double(maximumUtilisation)),
            .init(
                "priorities",
                .array(
                    priorities.map {
                        .object([
                            .init("priority", .integer($0.priority)), .init("packets", .integer($0.packets)),
                            .init("wire_bytes", .integer($0.wireBytes)),
                            .init("queue", $0.queue.json),
                        ])
                    })),
        ])
    }
}

extension SwitchResult {
    var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("buffer_bytes", JSONValue(bufferBytes)), .init("total", total.json),
            .init("downlinks", downlinks.json), .init("uplinks", uplinks.json),
        ])
    }
}

extension PortResult {
    var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("queue", queue.json), .init("utilisation", .double(utilisation)),
            .init("drops", .integer(drops)),
        ])
    }
}

extension OccupancySample {
    var json: JSONValue {
        .object([
            .init("us", JSONValue(time, .microseconds)), .init("bytes", .array(bytes.map { .integer($0) })),
            .init("longest_host_downlink_bytes", .integer(longestHostDownlinkBytes)),
        ])
    }
}

extension Conservation {
    var json: JSONValue {
        .object([
            .init("sent", .integer(sent)), .init("received", .integer(received)), .init("dropped", .integer(dropped)),
            .init("under_way", .integer(underWay)), .init("holds", .bool(holds)),
        ])
    }
}
