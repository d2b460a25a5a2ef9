// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaWire

/// What the engine expects to receive next.
struct ExpectedTrain {
    let forecast: Forecast
    let source: PeerAddress
}

/// Trains that the kernel puts straight into the region: no copy in user space.
extension Engine {
    /// Shorter ones are no dearer to copy than to plan for.
    private static var fewestPackets: Int { 4 }

    /// So sure the engine must be that the next train goes on with this one's message: messages that come in turns are
    /// cheaper to copy than to put in the wrong place and then copy.
    static var confidenceToPlan: Int { 8 }

    /// A train has been taken: if it left a message in the middle, the next one probably goes on with it.
    func expectMore(after datagram: ReceivedDatagram) {
        let payload = datagram.segmentSize - ScatterPlan.headerByteCount
        guard configuration.receivesInPlace, let udp = state.pointee.driver.udp, payload > 0,
            datagram.byteCount > (Self.fewestPackets - 1) * datagram.segmentSize
        else { return }
        let forecast = state.pointee.endpoint.forecast()
        judgeLastForecast()
        state.pointee.lastForecast = forecast
        guard let forecast, state.pointee.forecastConfidence >= Self.confidenceToPlan,
            Int(forecast.length - forecast.offset) >= Self.fewestPackets * payload
        else { return }
        udp.pointee.arm(
            forecast, payloadByteCount: payload, endpoint: &state.pointee.endpoint, region: region.memory.baseAddress)
        state.pointee.expected = ExpectedTrain(forecast: forecast, source: datagram.source)
    }

    /// A forecast came true when its message is no longer where it was. One that did not costs about what two save.
    private func judgeLastForecast() {
        guard let last = state.pointee.lastForecast else { return }
        let confidence = state.pointee.forecastConfidence
        state.pointee.forecastConfidence =
            state.pointee.endpoint.stillExpects(last) ? max(0, confidence - 2) : min(15, confidence + 1)
    }

    /// Gives up the plan when the message is no longer where it was: its memory may have become another's.
    @inline(__always)
    func dropStaleExpectation() {
        guard let expected = state.pointee.expected else { return }
        if !state.pointee.endpoint.stillExpects(expected.forecast) { expectNothing() }
    }

    private func expectNothing() {
        state.pointee.expected = nil
        state.pointee.driver.udp?.pointee.scatter.clear()
    }

    /// Feeds a train to the protocol that was received by the plan; true if it was the one expected.
    func takeScattered(_ datagram: ReceivedDatagram) -> Bool {
        guard let udp = state.pointee.driver.udp, let expected = state.pointee.expected else { return false }
        let planned = min(datagram.byteCount, udp.pointee.scatter.byteCount)
        guard datagram.source == expected.source, udp.pointee.agrees(datagram, with: expected.forecast) else {
            udp.pointee.gatherScattered(datagram.byteCount)
            state.pointee.counters.trainsMisplaced &+= 1
            expectNothing()
            return false
        }
        state.pointee.counters.trainsInPlace &+= 1
        var start = 0
        var packet = 0
        while start < planned {
            let length = min(datagram.segmentSize, datagram.byteCount - start)
            takeInPlace(udp.pointee.scatter.header(packet, packetByteCount: length), from: datagram.source)
            start += length
            packet += 1
        }
        expectNothing()
        if start < datagram.byteCount { takePackets(of: datagram, from: start) }
        return true
    }

    /// Feeds a packet to the protocol whose payload lies where it belongs, if it belongs anywhere.
    @inline(__always)
    private func takeInPlace(_ packet: UnsafeRawBufferPointer, from peer: PeerAddress) {
        guard let header = try? PacketHeader.parse(packet) else { return }
        if case .store(let place) = state.pointee.endpoint.receive(header, from: peer, at: state.pointee.now) {
            state.pointee.counters.bytesInPlace &+= UInt64(place.byteCount + place.secondByteCount)
        }
    }
}
