// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaPosix
internal import HomaWire

/// What the engine expects to receive next.
struct ExpectedTrain {
    let forecast: Forecast
    let source: PeerAddress
}

/// From the network to the engine.
extension EngineLoop where Driver: ~Copyable {
    /// Trains put in place that are taken before anything is sent.
    private static var trainsPerBatch: Int { 8 }

    /// Takes one batch of datagrams. True when there was any.
    func receiveBatch() -> Bool {
        var taken = 0
        while taken < Self.trainsPerBatch {
            dropStaleExpectation()
            let count = driver.pointee.receive()
            guard count > 0 else { break }
            if taken == 0 { advanceClock() }
            guard driver.pointee.isScattered else {
                for index in 0..<count {
                    let datagram = driver.pointee.datagram(index)
                    engine.takePackets(of: datagram, from: 0)
                    expectMore(after: datagram)
                }
                return true
            }
            let datagram = driver.pointee.datagram(0)
            if !takeScattered(datagram) { engine.takePackets(of: datagram, from: 0) }
            expectMore(after: datagram)
            taken += 1
        }
        return taken > 0
    }
}

/// Trains that the kernel puts straight into the region: no copy in user space.
extension EngineLoop where Driver: ~Copyable {
    /// Shorter ones are no dearer to copy than to plan for.
    private static var fewestPackets: Int { 4 }

    /// A train has been taken: if it left a message in the middle, the next one probably goes on with it.
    private func expectMore(after datagram: ReceivedDatagram) {
        guard engine.configuration.receivesInPlace, let plan = driver.pointee.scatter else { return }
        let payload = datagram.segmentSize - ScatterPlan.headerByteCount
        guard payload > 0, datagram.byteCount > (Self.fewestPackets - 1) * datagram.segmentSize else { return }
        let forecast = state.pointee.endpoint.forecast()
        judgeLastForecast()
        state.pointee.lastForecast = forecast
        guard let forecast, state.pointee.forecastConfidence >= EngineState.confidenceToPlan,
            Int(forecast.length - forecast.offset) >= Self.fewestPackets * payload
        else { return }
        plan.pointee.arm(
            forecast, payloadByteCount: payload, endpoint: &state.pointee.endpoint,
            region: engine.region.memory.baseAddress, slot: driver.pointee.firstSlot)
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
    private func dropStaleExpectation() {
        guard let expected = state.pointee.expected else { return }
        if !state.pointee.endpoint.stillExpects(expected.forecast) { expectNothing() }
    }

    private func expectNothing() {
        state.pointee.expected = nil
        driver.pointee.scatter?.pointee.clear()
    }

    /// Feeds a train to the protocol that was received by the plan; true if it was the one expected.
    private func takeScattered(_ datagram: ReceivedDatagram) -> Bool {
        guard let plan = driver.pointee.scatter, let expected = state.pointee.expected else { return false }
        let planned = min(datagram.byteCount, plan.pointee.byteCount)
        guard datagram.source == expected.source, plan.pointee.agrees(datagram, with: expected.forecast) else {
            plan.pointee.gather(planned, into: driver.pointee.firstSlot.baseAddress!)
            state.pointee.counters.trainsMisplaced &+= 1
            expectNothing()
            return false
        }
        state.pointee.counters.trainsInPlace &+= 1
        var start = 0
        var packet = 0
        while start < planned {
            let length = min(datagram.segmentSize, datagram.byteCount - start)
            engine.takeInPlace(plan.pointee.header(packet, packetByteCount: length), from: datagram.source)
            start += length
            packet += 1
        }
        expectNothing()
        if start < datagram.byteCount { engine.takePackets(of: datagram, from: start) }
        return true
    }
}
