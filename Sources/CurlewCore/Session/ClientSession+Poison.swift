package import NIOCore

// Finds and gives up packets on which the server ends the connection each time.
extension ClientSession {
    /// When to call ``poisonDeadlineReached(now:into:)``; `nil` if nothing is held back.
    package var poisonDeadline: Timestamp? { self.poison.deadline }

    /// The connection has lived long enough without the accused packet, or long enough to send all that was held back.
    package mutating func poisonDeadlineReached(now: Timestamp, into out: inout ByteBuffer) {
        if let verdict = self.poison.deadlineReached(now: now) {
            self.giveUp(verdict, now: now, into: &out)
        } else {
            self.pump(now: now, into: &out)
        }
    }

    func ping(into out: inout ByteBuffer) {
        guard let version = self.connection?.version else { return }
        // A packet without a content can always be encoded.
        try? Packet.pingreq.encode(into: &out, version: version)
    }

    /// Whether a publish, or PUBREL, of an earlier connection may be sent again now.
    func mayResend(_ resend: OutgoingQoS<Exchange>.Resend) -> Bool {
        guard self.poison.isIsolating else { return true }
        switch resend {
        case .publish(let id, _), .release(let id):
            return self.outgoing[id].map { self.poison.maySend($0.item(id)) } ?? true
        }
    }

    mutating func noteSent(_ id: PacketID) {
        if self.poison.isIsolating, let exchange = self.outgoing[id] { self.poison.sent(exchange.item(id)) }
    }

    /// PUBREC has answered PUBLISH, and PUBREL was sent, which waits for its own answer.
    mutating func noteReleased(_ publish: Exchange, _ id: PacketID) {
        guard self.poison.isActive else { return }
        self.poison.answered(publish.item(id))
        self.noteSent(id)
    }

    /// Sends a PUBREL of an earlier connection again.
    mutating func release(_ id: PacketID, into out: inout ByteBuffer) {
        self.send(.pubrel, Acknowledgement(id), into: &out)
        self.outgoing.resent(id)
        self.noteSent(id)
    }

    /// A packet was found to break connections. It is never sent again, but the others are.
    mutating func giveUp(_ verdict: PoisonDetector.Verdict, now: Timestamp, into out: inout ByteBuffer) {
        switch verdict.item {
        case .subscribe(let identifier):
            guard let filter = self.subscriptions.filter(identifier, toSubscribe: true) else { break }
            let rejection = self.rejection(verdict.connections, .subscription(filter))
            self.subscriptions.giveUpSubscribing(identifier, rejection, &self.completions, &self.lostSubscribers)
        case .unsubscribe(let identifier):
            guard let filter = self.subscriptions.filter(identifier, toSubscribe: false) else { break }
            let rejection = self.rejection(verdict.connections, .unsubscription(filter))
            self.subscriptions.giveUpUnsubscribing(identifier, rejection, &self.completions)
        case .publish(let request):
            if let message = self.outbox.remove(request) {
                self.complete(request, .abandoned(self.rejection(verdict.connections, .message(message.topic))))
            } else if let id = self.identifier(of: verdict.item) {
                self.giveUp(id, verdict.connections)
            }
        case .exchange(let id):
            if self.outgoing[id]?.item(id) == verdict.item { self.giveUp(id, verdict.connections) }
        }
        self.pump(now: now, into: &out)
    }

    private func identifier(of item: PoisonDetector.Item) -> PacketID? {
        (self.outgoing.identifiers(in: .unanswered) + self.outgoing.identifiers(in: .released)).first { id in
            self.outgoing[id]?.item(id) == item
        }
    }

    /// All items that are sent, or sent again, until the server answers.
    var pendingItems: Set<PoisonDetector.Item> {
        var items = Set(self.outbox.requests.map { PoisonDetector.Item.publish($0) })
        for lane in [InFlightTable<Exchange>.Lane.unanswered, .released] {
            for id in self.outgoing.identifiers(in: lane) {
                guard let exchange = self.outgoing[id], self.outgoing.status(id)?.position != .givenUp else { continue }
                items.insert(exchange.item(id))
            }
        }
        for (identifier, entry) in self.subscriptions.entries {
            items.insert(entry.subscribers.isEmpty ? .unsubscribe(identifier) : .subscribe(identifier))
        }
        return items
    }

    /// The server may have partly received the message: the exchange keeps its identifier while the server keeps the
    /// session, but takes no place in the window.
    private mutating func giveUp(_ id: PacketID, _ connections: Int) {
        let subject: Rejection.Subject
        switch self.outgoing[id] {
        case .publish(let sent)?: subject = .message(sent.message.topic)
        case .release?: subject = .release
        case .subscribe?, .unsubscribe?, nil: return
        }
        self.outgoing.giveUp(id)
        self.outgoing.update(id) { exchange in
            guard case .publish(var sent) = exchange else { return }
            sent.message.payload = ByteBuffer()
            sent.message.properties = Properties()
            exchange = .publish(sent)
        }
        self.abandon(id, self.rejection(connections, subject))
    }

    private mutating func rejection(_ connections: Int, _ subject: Rejection.Subject) -> Rejection {
        let rejection = Rejection.packetAbandoned(connections, subject)
        self.givenUpPackets.append(rejection)
        return rejection
    }
}

extension ClientSession.Exchange {
    /// How the poison detector identifies it.
    func item(_ id: PacketID) -> PoisonDetector.Item {
        switch self {
        case .publish, .release: self.request.map { .publish($0) } ?? .exchange(id)
        case .subscribe(let identifier): .subscribe(identifier)
        case .unsubscribe(let identifier): .unsubscribe(identifier)
        }
    }
}
