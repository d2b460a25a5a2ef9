// SPDX-License-Identifier: Apache-2.0

import HomaBuffers
import Testing

@testable import HomaCore

/// What must hold when a net has come to rest, whatever happened on the way.
func checkAtRest(_ net: TestNet, calls: Int, mayFail: Bool = false) {
    var outcomes = 0
    #expect(net.grantViolations.isEmpty)
    #expect(net.marksForKernels == 0, "a peer without extensions was sent a mark")
    for host in net.hosts {
        #expect(host.corruptions == 0, "a message arrived with wrong bytes")
        #expect(host.responses.values.allSatisfy { $0 == 1 }, "a call was answered twice")
        #expect(host.executions.values.allSatisfy { $0 == 1 }, "a request ran twice")
        #expect(Set(host.responses.keys).isDisjoint(with: host.failures.keys), "a call both succeeded and failed")
        if !mayFail { #expect(host.failures.isEmpty) }
        #expect(host.deliveries.values.allSatisfy { $0 == 1 }, "a message was delivered twice")
        #expect(host.completions.values.allSatisfy { $0 == 1 }, "a message ended twice")
        #expect(Set(host.completions.keys).isDisjoint(with: host.failures.keys), "a message both arrived and failed")
        outcomes += host.responses.count + host.failures.count + host.completions.count
        #expect(host.endpoint.rpcCount == 0, "an RPC was left behind")
        #expect(host.payloadsHeld.isEmpty, "payload was never released")
        #expect(host.endpoint.incomingBytes == 0, "the granter still waits for bytes")
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 0, "unscheduled bytes are still waited for")
        #expect(host.endpoint.waitingForBuffers == 0)
        #expect(host.endpoint.rangesInUse == 0, "ranges are not home")
        #expect(host.pool.statistics.leasesLive == 0, "buffers are not home")
        #expect(host.pool.statistics.pagesInUse <= 1, "pages are not home")
        for other in net.hosts {
            guard let peer = host.endpoint.peers.find(other.address) else { continue }
            let isAtRest = host.endpoint.peers.at(peer).pointee.admission.isEmpty
            #expect(isAtRest, "a call still counts as under way, or waits")
        }
    }
    #expect(outcomes == calls, "every call has one outcome")
}
