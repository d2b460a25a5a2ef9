// SPDX-License-Identifier: Apache-2.0

/// Published set-ups as recipes.
enum Setup {
    /// The cluster of the ATC 2021 paper: 40 hosts at 25 Gb/s on one SN2410 with 13.2 MB, jumbo frames, messages of at
    /// most 1 MB, the kernel's settings.
    static func cluster(_ workload: String, load: Double, messages: Int) -> Recipe {
        Recipe(
            """
            {"topology": {"preset": "cluster-25g"}, "transport": {"kind": "homa", "preset": "linux2026", \
            "maximum_packet_bytes": 8972}, "traffic": {"truncated_to_bytes": 1000000}, "length": {"drain_ms": 1000}}
            """
        ).with("workload", workload).with("load", load).with("messages", messages)
    }

    /// The same with requests and equally long responses, as measured there. `load` counts both.
    static func clusterRPC(_ workload: String, load: Double, messages: Int) -> Recipe {
        cluster(workload, load: load, messages: messages).with("traffic.mode", "rpc")
    }

    /// Load per node of the ATC 2021 paper, in Gb/s of requests and responses together, over the link's 25.
    static let clusterLoads = [("w2", 3.2 / 25), ("w3", 14.0 / 25), ("w4", 20.0 / 25), ("w5", 20.0 / 25)]

    /// The simulations of the SIGCOMM 2018 paper.
    static func sigcomm(_ workload: String, load: Double, messages: Int?, warmUpMilliseconds: Double?) -> Recipe {
        var recipe = Recipe(
            """
            {"topology": {"preset": "fabric-10g"}, "transport": {"kind": "homa", "preset": "sigcomm2018"}, \
            "measurement": {"ideal": "udp"}}
            """
        ).with("workload", workload).with("load", load)
        if let messages { recipe = recipe.with("messages", messages) }
        if let warmUpMilliseconds { recipe = recipe.with("length.warm_up_ms", warmUpMilliseconds) }
        return recipe
    }

    static let atc = "Homa/Linux, USENIX ATC 2021"
    static let seedBuffers = "Ousterhout, Buffer Usage in Homa (2022)"
    static let seedRegions = "Ousterhout, Kernel-Managed User Buffers in Homa (Netdev 0x17)"
    static let notes = "HomaModule, notes on buffer usage (August 2023)"
    static let sigcomm = "Homa, SIGCOMM 2018"
    static let aeolus = "Aeolus, SIGCOMM 2020"
}

extension Experiment {
    /// Every experiment, in the order of the report.
    public static let all: [Experiment] =
        rivals + [
            .bufferFactors, .poolSharing, .willItFit, .lessBuffer, .receiveThroughput, .bufferStructures, .regionSize,
            .exhaustion, .shardApproximation,
        ]

    /// Those that compare with published figures and other transports.
    private static let rivals: [Experiment] = [
        .sigcommSlowdowns, .switchOccupancy, .smallestPool, .rivalLatency, .portQueues, .aeolusBuffers, .dcpimBuffers,
    ]

    /// The experiment of that name.
    public static func named(_ name: String) -> Experiment? { all.first { $0.name == name } }
}
