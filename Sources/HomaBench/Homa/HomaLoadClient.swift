// SPDX-License-Identifier: Apache-2.0

public import Homa

/// Carries out a plan over Homa, with the public API as a user would call it: one task for each RPC, on
/// the node's own thread.
public struct HomaLoadClient: Sendable {
    /// Server in the text form of ``HomaAddress``.
    public let server: String
    public let configuration: HomaConfiguration

    public init(server: String, configuration: HomaConfiguration = HomaConfiguration()) {
        self.server = server
        self.configuration = configuration
    }

    /// Opens a node, runs the whole plan, and closes the node.
    ///
    /// Throws when the node cannot be opened or the server's name means nothing. Calls that fail are counted.
    public func run(_ plan: LoadPlan) async throws -> LoadResult {
        try await withHomaNode(Self.configuration(configuration, for: plan)) { node in
            await run(plan, on: node, to: try await address(node))
        }
    }

    /// The first of the server's addresses at which somebody listens.
    private func address(_ node: HomaNode) async throws -> HomaAddress {
        let addresses = try await node.addresses(of: server)
        for address in addresses.dropLast() {
            do {
                _ = try await node.call(address, sending: [0])
                return address
            } catch {
                guard error.code == .portUnreachable else { return address }
            }
        }
        return addresses[addresses.count - 1]
    }

    /// The configuration of a node that holds as many calls as the plan lets be outstanding.
    public static func configuration(_ configuration: HomaConfiguration, for plan: LoadPlan) -> HomaConfiguration {
        var configuration = configuration
        // Those that are over are still answered for a while.
        configuration.endpoint.maximumRPCs = max(configuration.endpoint.maximumRPCs, plan.outstandingLimit + 4096)
        return configuration
    }

    /// Runs the plan on a node that is open already.
    public func run(_ plan: LoadPlan, on node: HomaNode, to address: HomaAddress) async -> LoadResult {
        await Self.run(plan, on: node, to: [address])
    }

    /// Runs the plan on a node that is open already, with as many servers as the plan has targets.
    public static func run(_ plan: LoadPlan, on node: HomaNode, to servers: [HomaAddress]) async -> LoadResult {
        precondition(servers.count == plan.targets, "a server for each target")
        // Each shard carries a part of the load, as generators of their own do.
        let executors = node.executors
        var result = await withTaskGroup(of: LoadResult.self) { group in
            for (shard, executor) in executors.enumerated() {
                let part = plan.part(shard, of: executors.count)
                group.addTask(executorPreference: executor) {
                    await HomaLoadRun(plan: part, node: node, servers: servers, on: executor).run()
                }
            }
            var sum = await group.next()!
            for await part in group { sum.merge(part) }
            return sum
        }
        result.packetsRetransmitted = node.statistics.endpoint.packetsRetransmitted
        return result
    }
}
