import Testing

@testable import CurlewCore

@Suite("Outgoing QoS")
struct OutgoingQoSTests {
    private enum Exchange: OutgoingExchange, Equatable {
        case message(String)
        case released(String, ReasonCode)
        case request

        var byteCount: Int { if case .message = self { 11 } else { 0 } }
        var payloadByteCount: Int { if case .message = self { 10 } else { 0 } }

        func released(by reasonCode: ReasonCode) -> Self {
            if case .message(let name) = self { .released(name, reasonCode) } else { self }
        }
    }

    /// Sent at QoS 1.
    private let one = Exchange.message("one")
    /// Sent at QoS 2.
    private let two = Exchange.message("two")
    private let twoReleased = Exchange.released("two", .success)

    /// State with messages under the identifiers 1, 2, …, sent on a connection with this window.
    private func outgoing(_ messages: Exchange..., window: Int = 10) -> OutgoingQoS<Exchange> {
        var outgoing = OutgoingQoS<Exchange>()
        outgoing.connected(window: window)
        for message in messages {
            _ = outgoing.publish(message, qos: message == self.one ? .atLeastOnce : .exactlyOnce)
        }
        return outgoing
    }

    // MARK: Acknowledgements

    @Test("PUBACK ends a QoS 1 exchange and frees its place and its bytes")
    func puback() {
        var outgoing = self.outgoing(self.one)
        #expect(outgoing.quota == 9 && outgoing.bytes == 11 && outgoing.payloadBytes == 10)
        #expect(outgoing.receivedPuback(id(1)) == .acknowledged(self.one))
        #expect(outgoing.quota == 10 && outgoing.bytes == 0 && outgoing.payloadBytes == 0 && outgoing.count == 0)
        #expect(outgoing.receivedPuback(id(1)) == .unknown)
    }

    @Test("PUBREC replaces the message, PUBCOMP ends the exchange [MQTT-4.3.3-4] [MQTT-4.3.3-6]")
    func exactlyOnce() {
        var outgoing = self.outgoing(self.two)
        #expect(outgoing.receivedPubrec(id(1), .noMatchingSubscribers) == .accepted(self.two))
        #expect(outgoing.bytes == 0 && outgoing.quota == 9, "the exchange keeps its place until PUBCOMP")
        #expect(outgoing.receivedPubcomp(id(1)) == .completed(.released("two", .noMatchingSubscribers)))
        #expect(outgoing.quota == 10 && outgoing.count == 0)
        #expect(outgoing.receivedPubcomp(id(1)) == .unknown)
    }

    @Test("PUBREC with a failure ends the exchange")
    func refused() {
        var outgoing = self.outgoing(self.two)
        #expect(outgoing.receivedPubrec(id(1), .quotaExceeded) == .refused(self.two))
        #expect(outgoing.quota == 10 && outgoing.bytes == 0 && outgoing.count == 0)
    }

    @Test("Repeated PUBRECs are counted per connection")
    func repeatedPubrec() {
        var outgoing = self.outgoing(self.two)
        _ = outgoing.receivedPubrec(id(1), .success)
        #expect(outgoing.receivedPubrec(id(1), .success) == .repeated(1))
        #expect(outgoing.receivedPubrec(id(1), .success) == .repeated(2))
        outgoing.connectionLost()
        outgoing.connected(window: 10)
        #expect(outgoing.receivedPubrec(id(1), .success) == .repeated(1))
        #expect(outgoing.quota == 9)
    }

    @Test("An acknowledgement that does not fit its exchange changes nothing")
    func unexpected() {
        var outgoing = self.outgoing(self.one, self.two)
        _ = outgoing.request(.request)
        #expect(outgoing.receivedPuback(id(2)) == .unexpected)
        #expect(outgoing.receivedPuback(id(3)) == .unexpected)
        #expect(outgoing.receivedPubrec(id(1), .success) == .unexpected)
        #expect(outgoing.receivedPubrec(id(3), .success) == .unexpected)
        #expect(outgoing.receivedPubcomp(id(2)) == .unexpected)
        #expect(outgoing.receivedPubcomp(id(3)) == .unexpected)
        #expect(outgoing.count == 3 && outgoing.quota == 8 && outgoing.bytes == 22)
    }

    @Test("A message that could not be sent leaves nothing behind")
    func withdrawn() {
        var outgoing = self.outgoing(self.one)
        outgoing.end(id(1))
        #expect(outgoing.quota == 10 && outgoing.bytes == 0 && outgoing.count == 0)
    }

    @Test("SUBSCRIBE uses a packet identifier, but no place in the window")
    func request() {
        var outgoing = self.outgoing(window: 1)
        #expect(outgoing.request(.request) == id(1))
        #expect(outgoing.mayPublish)
        #expect(outgoing.publish(self.one, qos: .atLeastOnce) == id(2))
        #expect(!outgoing.mayPublish)
        outgoing.end(id(1))
        #expect(outgoing.quota == 0)
    }

    // MARK: Connections

    @Test(
        "After reconnecting, PUBRELs are resent first, then messages, each in order [MQTT-4.4.0-1] [MQTT-4.6.0-1]")
    func resends() {
        var outgoing = self.outgoing(self.one, self.two, self.two)
        _ = outgoing.receivedPubrec(id(3), .success)
        outgoing.connectionLost()
        outgoing.connected(window: 10)
        #expect(outgoing.hasResends && !outgoing.mayPublish)
        #expect(outgoing.nextResend() == .release(id(3)))
        outgoing.resent(id(3))
        #expect(outgoing.nextResend() == .publish(id(1), self.one))
        outgoing.resent(id(1))
        #expect(outgoing.nextResend() == .publish(id(2), self.two))
        outgoing.resent(id(2))
        #expect(outgoing.nextResend() == nil)
        #expect(outgoing.quota == 7)
        #expect(outgoing.mayPublish)
    }

    @Test("A message acknowledged before it was resent is not resent, and frees no place")
    func lateAcknowledgement() {
        var outgoing = self.outgoing(self.one)
        outgoing.connectionLost()
        outgoing.connected(window: 1)
        #expect(outgoing.receivedPuback(id(1)) == .acknowledged(self.one))
        #expect(outgoing.quota == 1)
        #expect(outgoing.nextResend() == nil)
    }

    @Test("A late PUBREC takes a place in the window, which PUBCOMP frees")
    func latePubrec() {
        var outgoing = self.outgoing(self.two)
        outgoing.connectionLost()
        outgoing.connected(window: 1)
        #expect(outgoing.receivedPubrec(id(1), .success) == .accepted(self.two))
        #expect(outgoing.quota == 0)
        #expect(outgoing.receivedPubcomp(id(1)) == .completed(self.twoReleased))
        #expect(outgoing.quota == 1)
    }

    @Test("A message that cannot be sent on this connection waits for the next one")
    func skipped() {
        var outgoing = self.outgoing(self.one)
        outgoing.connectionLost()
        outgoing.connected(window: 1)
        outgoing.skipResend()
        #expect(outgoing.nextResend() == nil)
        #expect(outgoing.count == 1)
        outgoing.connectionLost()
        outgoing.connected(window: 1)
        #expect(outgoing.nextResend() == .publish(id(1), self.one))
    }

    @Test("Requests end with the connection; exchanges do not")
    func requestsEnd() {
        var outgoing = self.outgoing(self.one)
        _ = outgoing.request(.request)
        #expect(outgoing.connectionLost() == [.request])
        #expect(outgoing.count == 1 && outgoing.quota == 0 && outgoing.bytes == 11)
    }

    @Test("When the session is lost, everything ends, and what was in flight is returned")
    func sessionLost() {
        var outgoing = self.outgoing(self.one, self.two, self.two)
        _ = outgoing.receivedPubrec(id(2), .success)
        outgoing.connectionLost()
        outgoing.connected(window: 10)
        let remains = outgoing.sessionLost()
        #expect(remains.messages == [self.one, self.two] && remains.released.map(\.exchange) == [self.twoReleased])
        #expect(outgoing.count == 0 && outgoing.bytes == 0 && outgoing.quota == 10 && outgoing.mayPublish)
    }

    // MARK: Given-up messages

    @Test("A given-up message keeps its packet identifier, but not its place in the window")
    func givenUp() {
        var outgoing = self.outgoing(self.one)
        outgoing.connectionLost()
        outgoing.connected(window: 1)
        outgoing.giveUp(id(1))
        #expect(!outgoing.hasResends && outgoing.count == 1 && outgoing.mayPublish)
        #expect(outgoing.publish(self.two, qos: .exactlyOnce) == id(2))
        outgoing.connectionLost()
        outgoing.connected(window: 1)
        #expect(outgoing.nextResend() == .publish(id(2), self.two))
    }

    @Test("Revoking an unsent QoS 2 message leaves its PUBREL to send; at QoS 1, nothing [MQTT-4.3.3-8]")
    func revoked() {
        var outgoing = self.outgoing(self.one, self.two)
        outgoing.connectionLost()
        outgoing.revoke(id(1))
        outgoing.revoke(id(2))
        #expect(outgoing.count == 1 && outgoing.bytes == 0)
        outgoing.connected(window: 1)
        #expect(outgoing.nextResend() == .release(id(2)))
    }

    @Test("A message that is being sent cannot be revoked")
    func notRevoked() {
        var outgoing = self.outgoing(self.two)
        outgoing.revoke(id(1))
        #expect(outgoing.receivedPubrec(id(1), .success) == .accepted(self.two))
    }

    @Test("Restored exchanges continue")
    func restored() {
        var outgoing = OutgoingQoS<Exchange>(restoring: [
            (id(5), self.one, .atLeastOnce), (id(3), self.twoReleased, .released),
        ])
        #expect(outgoing.count == 2 && outgoing.bytes == 11)
        outgoing.connected(window: 10)
        #expect(outgoing.nextResend() == .release(id(3)))
        outgoing.resent(id(3))
        #expect(outgoing.nextResend() == .publish(id(5), self.one))
    }
}

@Suite("Receive window")
struct ReceiveWindowTests {
    @Test("QoS 1 and QoS 2 messages share the Receive Maximum [MQTT-3.3.4-9]")
    func maximum() {
        var window = ReceiveWindow(maximum: 2)
        #expect(window.receivedPublish(id(1), .atLeastOnce) == true)
        #expect(window.receivedPublish(id(2), .exactlyOnce) == true)
        #expect(window.receivedPublish(id(3), .atLeastOnce) == false)
        #expect(window.receivedPublish(id(3), .exactlyOnce) == false)
        window.acknowledged()
        #expect(window.receivedPublish(id(3), .exactlyOnce) == true)
        window.finished(id(2))
        #expect(window.receivedPublish(id(1), .atLeastOnce) == true)
    }

    @Test("A repeated QoS 2 message takes no second place")
    func again() {
        var window = ReceiveWindow(maximum: 1)
        #expect(window.receivedPublish(id(1), .exactlyOnce) == true)
        #expect(window.receivedPublish(id(1), .exactlyOnce) == true)
        #expect(window.contains(id(1)))
        window.finished(id(1))
        #expect(!window.contains(id(1)))
    }
}
