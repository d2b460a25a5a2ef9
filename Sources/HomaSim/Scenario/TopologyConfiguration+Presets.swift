// SPDX-License-Identifier: Apache-2.0

import HomaBase

extension TopologyConfiguration {
    /// What ``named(_:)`` knows.
    public static let presetNames = ["cluster-25g", "fabric-10g", "fabric-100g", "fabric-100g-500kb", "tomahawk3"]

    /// A topology by name, or nil for a name that is not in ``presetNames``.
    public static func named(_ name: String) -> TopologyConfiguration? {
        switch name {
        case "cluster-25g": cluster25g
        case "fabric-10g": fabric10g
        case "fabric-100g": fabric100g
        case "fabric-100g-500kb": fabric100gLimited
        case "tomahawk3": tomahawk3
        default: nil
        }
    }

    /// 40 hosts at 25 Gb/s on one Mellanox SN2410 with 13.2 MB of shared buffer: the cluster measured in *A Linux
    /// Kernel Implementation of the Homa Transport Protocol* (USENIX ATC 2021). The host delays are such that a
    /// 100-byte request and its response take the 15.1 µs which that paper reports.
    private static var cluster25g: Self {
        let buffer = SwitchConfiguration(buffer: .shared, bufferBytes: 13_200_000)
        return Self(
            shape: .singleSwitch(hosts: 40), hostRate: .gigabitsPerSecond(25), uplinkRate: .gigabitsPerSecond(100),
            linkDelay: .nanoseconds(50), switchDelay: .nanoseconds(400), hostSendDelay: .nanoseconds(3150),
            hostReceiveDelay: .nanoseconds(3150), nicDelay: .nanoseconds(500), leafSwitch: buffer, spineSwitch: buffer)
    }

    /// 144 hosts at 10 Gb/s, 9 leaves of 16, 4 spines at 40 Gb/s per link, unlimited buffers, every packet on a path
    /// of its own: the simulations of *Homa: A Receiver-Driven Low-Latency Transport Protocol Using Network
    /// Priorities* (SIGCOMM 2018), with its delays.
    private static var fabric10g: Self {
        Self(
            shape: .leafSpine(leaves: 9, hostsPerLeaf: 16, spines: 4), hostRate: .gigabitsPerSecond(10),
            uplinkRate: .gigabitsPerSecond(40))
    }

    /// 144 hosts at 100 Gb/s, 9 leaves of 16, 4 spines at 400 Gb/s per link, 0.65 µs per link and nothing else: the
    /// topology of *dcPIM: Near-Optimal Proactive Datacenter Transport* (SIGCOMM 2022). Its switches had 500 KB
    /// per port, which `fabric-100g-500kb` has; here buffers are unlimited unless a scenario says otherwise.
    private static var fabric100g: Self {
        Self(
            shape: .leafSpine(leaves: 9, hostsPerLeaf: 16, spines: 4), hostRate: .gigabitsPerSecond(100),
            uplinkRate: .gigabitsPerSecond(400), linkDelay: .nanoseconds(650), switchDelay: .zero,
            hostSendDelay: .zero, hostReceiveDelay: .zero, nicDelay: .zero)
    }

    /// `fabric-100g` with the memory that it had there: 500 KB for each port.
    private static var fabric100gLimited: Self {
        var topology = fabric100g
        topology.leafSwitch = SwitchConfiguration(buffer: .perPort, bufferBytes: topology.portsPerLeaf * 500_000)
        topology.spineSwitch = SwitchConfiguration(buffer: .perPort, bufferBytes: topology.leafCount * 500_000)
        return topology
    }

    /// 128 hosts at 100 Gb/s on one Broadcom Tomahawk 3: 64 MB, shared, in cells of 256 bytes. Delays as `fabric-10g`.
    private static var tomahawk3: Self {
        let buffer = SwitchConfiguration(buffer: .shared, bufferBytes: 64_000_000, cellBytes: 256)
        return Self(
            shape: .singleSwitch(hosts: 128), hostRate: .gigabitsPerSecond(100), uplinkRate: .gigabitsPerSecond(400),
            leafSwitch: buffer, spineSwitch: buffer)
    }
}
