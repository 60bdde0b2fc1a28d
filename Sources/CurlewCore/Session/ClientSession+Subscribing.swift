package import NIOCore

// Subscribing and unsubscribing: sends the packets that the subscription table asks for, and handles the answers.
extension ClientSession {
    /// A subscriber requests a filter. Completes when the server has answered; throws if its limits forbid the filter.
    package mutating func subscribe(
        _ filter: TopicFilter, _ options: SubscriptionOptions, subscriber: SubscriberID, request: RequestID,
        into out: inout ByteBuffer
    ) throws(Rejection) {
        if let limits { try Self.check(filter, against: limits) }
        self.givenUp.wanted(filter)
        try self.subscriptions.subscribe(filter, options, subscriber: subscriber, request: request, &self.completions)
        self.pumpSubscriptions(into: &out)
    }

    /// A subscriber wants the messages of a filter that the server sends without a subscription. Nothing is sent.
    package mutating func listen(to filter: TopicFilter, subscriber: SubscriberID) {
        self.givenUp.wanted(filter)
        self.subscriptions.listen(to: filter, subscriber: subscriber, &self.completions)
    }

    /// A subscriber requests a filter that the server has if it kept the session of an earlier run of the program. If
    /// it did not, SUBSCRIBE is sent; if that is refused, the subscribers of the filter are reported as lost.
    package mutating func resume(
        _ filter: TopicFilter, _ options: SubscriptionOptions, subscriber: SubscriberID, into out: inout ByteBuffer
    ) {
        self.givenUp.wanted(filter)
        self.subscriptions.resume(
            filter, options, subscriber: subscriber, session: self.found, &self.completions)
        self.pumpSubscriptions(into: &out)
    }

    /// A subscriber gets all messages that match no filter, at any QoS.
    package mutating func takeRemainder(_ subscriber: SubscriberID) { self.subscriptions.takeRemainder(subscriber) }

    /// Unsubscribes from a filter that the server may have from an earlier run of the program. Completes as
    /// unsubscribing does.
    package mutating func giveUp(
        _ filter: TopicFilter, request: RequestID, now: Timestamp, into out: inout ByteBuffer
    ) {
        self.subscriptions.giveUp(filter, request: request, &self.completions)
        self.noteGivenUp(now)
        self.pumpSubscriptions(into: &out)
    }

    /// A subscriber ends. Its pending requests complete at once, as unsubscribed. The request completes when the server
    /// has confirmed.
    package mutating func unsubscribe(
        _ subscriber: SubscriberID, request: RequestID, now: Timestamp, into out: inout ByteBuffer
    ) {
        self.subscriptions.unsubscribe(subscriber, request: request, &self.completions)
        self.noteGivenUp(now)
        self.pumpSubscriptions(into: &out)
    }

    private mutating func noteGivenUp(_ now: Timestamp) {
        for filter in self.subscriptions.takeGivenUp() { self.givenUp.gaveUp(filter, at: now) }
    }

    /// Sends the table's next SUBSCRIBE and UNSUBSCRIBE packets while packet identifiers are free. The window for
    /// publishes does not delay them [MQTT-3.3.4-8].
    mutating func pumpSubscriptions(into out: inout ByteBuffer) {
        guard let limits, let version else { return }
        let settings = self.settings
        while !self.outgoing.isFull, let update = self.subscriptions.nextUpdate(heldBackBy: self.poison) {
            switch update {
            case .subscribe(let identifier, let subscriptionIdentifier, let filter, let options):
                do throws(Rejection) {
                    try Self.check(filter, against: limits)
                    try self.begin(.subscribe(identifier: identifier), into: &out) { id in
                        var packet = Subscribe(id, [.init(filter, options)])
                        if version >= .v5_0, limits.subscriptionIdentifierAvailable {
                            packet.properties.subscriptionIdentifiers = [subscriptionIdentifier]
                        }
                        packet.properties.append(settings.subscribeUserProperties, version)
                        return .subscribe(packet)
                    }
                } catch {
                    self.subscriptions.subscribed(
                        identifier, .rejected(error), &self.completions, &self.lostSubscribers)
                }
            case .unsubscribe(let identifier, let filter):
                do throws(Rejection) {
                    try self.begin(.unsubscribe(identifier: identifier), into: &out) { id in
                        var packet = Unsubscribe(id, [filter])
                        packet.properties.append(settings.unsubscribeUserProperties, version)
                        return .unsubscribe(packet)
                    }
                } catch {
                    // The server accepted a SUBSCRIBE, which is larger, and has returned with a smaller Maximum Packet
                    // Size.
                    self.subscriptions.unsubscribed(identifier, .packetTooLarge, &self.completions)
                }
            }
        }
    }

    /// Sends the packet that begins an exchange under a new packet identifier [MQTT-2.2.1-3].
    private mutating func begin(
        _ request: Exchange, into out: inout ByteBuffer, _ makePacket: (PacketID) -> Packet
    ) throws(Rejection) {
        guard let connection, let id = self.outgoing.request(request) else { throw .queueFull }
        do throws(Rejection) {
            try Self.encode(makePacket(id), for: connection, into: &out)
        } catch {
            self.outgoing.end(id)
            throw error
        }
        self.noteSent(id)
    }

    private static func encode(
        _ packet: Packet, for connection: Connection, into out: inout ByteBuffer
    ) throws(Rejection) {
        var size = 0
        do throws(EncodingError) { size = try packet.encodedSize(version: connection.version) } catch {
            throw .encoding(error)
        }
        if let maximum = connection.limits.maximumPacketSize, size > maximum {
            throw .packetTooLarge(size: size, maximum: maximum)
        }
        do throws(EncodingError) {
            try packet.encode(into: &out, version: connection.version)
        } catch {
            throw .encoding(error)
        }
    }

    /// Checks what the server's CONNACK forbids (sections 3.2.2.3.11 and 3.2.2.3.13).
    private static func check(_ filter: TopicFilter, against limits: ServerLimits) throws(Rejection) {
        guard limits.wildcardSubscriptionAvailable || !filter.hasWildcards else { throw .wildcardsNotAvailable }
        guard limits.sharedSubscriptionAvailable || filter.shareName == nil else {
            throw .sharedSubscriptionsNotAvailable
        }
    }

    // MARK: The server answers

    mutating func receivedSuback(_ packet: SubAck) -> Received {
        switch self.outgoing[packet.packetID] {
        case .subscribe(let identifier)?:
            guard packet.reasonCodes.count == 1, let code = packet.reasonCodes.first else {
                return .violation(.protocolError, "SUBACK has not one reason code for each topic filter")
            }
            self.outgoing.end(packet.packetID)
            self.poison.answered(.subscribe(identifier))
            self.subscriptions.subscribed(
                identifier, .subscribed(code, reason: packet.properties.reasonString), &self.completions,
                &self.lostSubscribers)
            return .nothing
        case nil: return .nothing
        default: return .violation(.protocolError, "SUBACK answers a packet that was not a SUBSCRIBE")
        }
    }

    mutating func receivedUnsuback(_ packet: UnsubAck) -> Received {
        switch self.outgoing[packet.packetID] {
        case .unsubscribe(let identifier)?:
            // Before 5.0 there are no reason codes.
            guard packet.reasonCodes.count == (self.version == .v5_0 ? 1 : 0) else {
                return .violation(.protocolError, "UNSUBACK has not one reason code for each topic filter")
            }
            self.outgoing.end(packet.packetID)
            self.poison.answered(.unsubscribe(identifier))
            self.subscriptions.unsubscribed(identifier, packet.reasonCodes.first ?? .success, &self.completions)
            return .nothing
        case nil: return .nothing
        default: return .violation(.protocolError, "UNSUBACK answers a packet that was not an UNSUBSCRIBE")
        }
    }
}

extension Properties {
    fileprivate mutating func append(_ userProperties: [UserProperty], _ version: ProtocolVersion) {
        guard version >= .v5_0, !userProperties.isEmpty else { return }
        self.list += userProperties.map(Property.userProperty)
    }
}

/// Subscribers whose filter the server refused when it had lost the session.
package struct LostSubscription: Equatable, Sendable {
    package var subscribers: [SubscriberID]
    package var outcome: Completion.Outcome
}
