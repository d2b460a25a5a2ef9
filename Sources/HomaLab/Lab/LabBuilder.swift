// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaPosix

/// Makes and removes labs.
package struct LabBuilder {
    let store: LabStore

    package init(
        store: LabStore
    ) {
        self.store = store
    }

    /// Makes a lab. When anything fails, or the user interrupts, what was made until then is removed again.
    package func make(_ description: LabDescription) throws(LabError) -> LabState {
        try LabProbe.run(process: getpid(), needsLoss: description.lossTenThousandths > 0)
        var state = LabState(description: description)
        try store.create(state)
        do {
            try build(&state)
        } catch {
            _ = try? remove(state, force: true)
            throw error
        }
        return state
    }

    private func build(_ state: inout LabState) throws(LabError) {
        let plan = LabPlan(state.description)
        for name in state.names.namespaces(hosts: state.description.hosts) { try addNamespace(name, &state) }
        var commands = plan.makeSwitch()
        for number in 1...state.description.hosts { commands += plan.makeHost(number) }
        for command in commands {
            try StopSignals.check()
            try command.run()
        }
        state.isComplete = true
        try store.save(state)
    }

    /// Written down before and after: whatever happens in between, it is known what may be there.
    private func addNamespace(_ name: String, _ state: inout LabState) throws(LabError) {
        try StopSignals.check()
        guard SystemNamespaces.inode(name) == nil else {
            throw LabError(
                "there is a namespace \(name) already, and no lab it belongs to; 'ip netns del \(name)' removes it")
        }
        state.namespaces.append(.init(name: name))
        try store.save(state)
        try SystemCommand("ip", "netns", "add", name).run()
        state.namespaces[state.namespaces.count - 1].inode = SystemNamespaces.inode(name)
        try store.save(state)
    }

    /// Removes what the state says was made, as far as it is still there. Returns what had to be left alone and why.
    ///
    /// - Parameter force: even under running processes, which lose their network.
    package func remove(_ state: LabState, force: Bool) throws(LabError) -> [String] {
        var ours: [String] = []
        var left: [String] = []
        for namespace in state.namespaces {
            guard let inode = SystemNamespaces.inode(namespace.name) else { continue }
            if inode == namespace.inode {
                ours.append(namespace.name)
            } else if namespace.inode != nil {
                left.append("\(namespace.name) is left alone: it is not the namespace that this lab made")
            } else {
                left.append("\(namespace.name) is left alone: it may be another's; 'ip netns del' removes it")
            }
        }
        if !force { try refuseIfUsed(ours, state.description.name) }
        // The switch first: with it go its ends of the links, and so the links, whoever still runs in a host.
        for name in ours.reversed() { try SystemCommand("ip", "netns", "del", name).run() }
        try store.remove(state.description.name)
        return left
    }

    private func refuseIfUsed(_ namespaces: [String], _ lab: String) throws(LabError) {
        for name in namespaces {
            let processes = try SystemNamespaces.processes(in: name)
            guard processes.isEmpty else {
                let list = processes.map(String.init).joined(separator: ", ")
                throw LabError(
                    "lab '\(lab)' is in use: process \(list) in \(name); end it first, or --force takes the network "
                        + "away under it")
            }
        }
    }
}
