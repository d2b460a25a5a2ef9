// SPDX-License-Identifier: Apache-2.0

/// Every key a scenario file may have. docs/scenarios.md explains them, and a test holds it to that.
public enum ScenarioKeys {
    /// Keys by the path of their object; the empty path is the top.
    public static let sections: [(path: String, keys: [String])] = [
        ("", top), ("topology", topology), ("topology.leaf", switches), ("topology.spine", switches),
        ("transport", transport), ("traffic", traffic), ("length", length), ("measurement", measurement),
    ]

    static let top = ["name", "seed", "topology", "transport", "traffic", "length", "measurement"]
    static let topology = [
        "preset", "hosts", "leaves", "hosts_per_leaf", "spines", "host_gbps", "uplink_gbps", "link_delay_ns",
        "switch_delay_ns", "host_send_delay_ns", "host_receive_delay_ns", "nic_delay_ns", "host_copy_gbps",
        "host_copies", "switching", "path_choice", "leaf", "spine",
    ]
    static let switches = [
        "chip", "buffer", "alpha", "ports_per_group", "buffer_bytes", "cell_bytes", "reserved_bytes_per_queue",
        "ecn_threshold_bytes", "selective_drop_threshold_bytes",
    ]
    static let transport = ["kind", "preset", "scheduled_levels", "cutoffs"] + EndpointField.all.map(\.key)
    /// Keys of `transport` whose kind is `tcp` or `dctcp`.
    public static let tcp = [
        "kind", "congestion_control", "connections_per_pair", "initial_window_segments", "minimum_rto_us",
        "maximum_rto_us", "delayed_ack_us", "segments_per_ack", "acknowledges_message_ends", "receive_window_bytes",
        "restarts_after_idle", "hystart", "tail_loss_probe_us", "dctcp_gain", "host_queue_bytes", "segments_per_turn",
        "keeps_paths",
    ]
    /// Keys of `transport` whose kind is `dcpim`.
    public static let dcpim = [
        "kind", "rounds", "channels", "round_trips_per_round", "data_phase_ratio", "shortest_first_rounds",
        "short_message_bytes", "window_bytes", "resend_after_us", "uses_idle_channels", "priorities_by_size", "frames",
    ]
    static let traffic = [
        "workload", "truncated_to_bytes", "load", "allow_overload", "pattern", "senders", "receivers", "arrivals",
        "outstanding", "mode", "response_bytes", "active_hosts",
    ]
    static let workload = ["name", "rows"]
    static let length = ["messages", "duration_ms", "warm_up_ms", "drain_ms", "load_during_drain"]
    static let measurement = ["size_bins", "occupancy_series_us", "per_port", "ideal"]
}
