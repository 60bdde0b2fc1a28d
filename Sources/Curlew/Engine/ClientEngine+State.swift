import CurlewCore
import CurlewTransport
import NIOCore

extension ClientEngine {
    /// The state that the engine's lock guards.
    struct State {
        /// The protocol state, which survives the loss of a connection.
        var session: ClientSession
        /// Encoded packets that the connection has not taken yet.
        var output: OutgoingBuffer
        var connection = CurrentConnection()
        var life: ClientLife
        var waiters = Waiters()
        var receivers: Receivers
        var tally = ClientTally()

        init(_ configuration: MQTTConfiguration, clientIdentifier: String) {
            self.session = ClientSession(configuration.sessionSettings)
            self.output = OutgoingBuffer(highWaterMark: configuration.queues.unsentBytes)
            self.life = ClientLife(clientIdentifier: clientIdentifier)
            self.receivers = Receivers(configuration.queues.unclaimed.bounds)
        }

        /// Collects the calls to resume, whose requests the session has completed.
        ///
        /// - Parameter now: The time of the read that acknowledged the requests; `nil` outside a read.
        mutating func takeResumptions(_ now: Timestamp? = nil) -> Resumptions {
            var resumptions = Resumptions()
            if self.life.drainWaiterCount > 0, self.session.isDrained {
                resumptions.drained = self.life.takeDrainWaiters()
            }
            resumptions.paceDeadline = self.session.takePaceDeadline()
            guard self.session.hasCompletions else { return resumptions }
            for completion in self.session.takeCompletions() {
                self.tally.completed(completion.request, at: now)
                let result = Waiters.Result.completed(completion.outcome)
                if let target = self.waiters.finish(completion.request, result) {
                    resumptions.finished.append((target, result))
                }
            }
            return resumptions
        }

        /// Returns the subscribers that lost their filter: the server lost the session, and subscribing again failed.
        mutating func takeLostReceivers() -> [LostReceiver] {
            self.session.takeLostSubscribers().flatMap { lost in
                lost.subscribers.compactMap { id in
                    self.receivers[id].map { LostReceiver(receiver: $0, outcome: lost.outcome) }
                }
            }
        }
    }

    /// The calls to resume once the lock is released.
    struct Resumptions {
        /// The calls whose requests have ended, with the results.
        var finished: [(Waiters.Target, Waiters.Result)] = []
        /// The calls of `disconnect()` that waited until the session was drained.
        var drained: [OneShot<Void>] = []
        /// When messages that wait for the service's rate limit may be sent.
        var paceDeadline: Timestamp?

        fileprivate func resume() {
            for (target, result) in self.finished { target.resume(with: result) }
            for oneShot in self.drained { oneShot.set(()) }
        }
    }

    func resume(_ resumptions: Resumptions) {
        resumptions.resume()
        if let deadline = resumptions.paceDeadline { self.keepPace(until: deadline) }
    }

    /// A subscriber that lost its filter, and the reason.
    struct LostReceiver {
        let receiver: any MessageReceiver
        let outcome: Completion.Outcome
    }
}

/// The current connection, and facts about its server.
struct CurrentConnection {
    /// Set from CONNACK to the end of the connection.
    private(set) var bound: NIOLoopBound<ClientConnection>?
    /// What both ends agreed on in the TLS handshake.
    private(set) var applicationProtocol: String?
    /// The ways in which the server has violated the protocol on this connection.
    private var deviations: Set<ClientSession.Deviation> = []
    /// The calls that wait for a re-authentication.
    var reauthentications: [OneShot<MQTTError?>] = []
    /// Whether a server has exceeded the announced maximum packet size, on this or an earlier connection.
    var leavesOutLargePublishes = false

    func isCurrent(_ connection: ClientConnection) -> Bool { self.bound?.value === connection }

    mutating func opened(_ connection: NIOLoopBound<ClientConnection>, applicationProtocol: String?) {
        self.bound = connection
        self.applicationProtocol = applicationProtocol
        self.deviations = []
    }

    mutating func lost() {
        self.bound = nil
        self.applicationProtocol = nil
    }

    /// Returns whether this is the first deviation of its kind on this connection.
    mutating func note(_ deviation: ClientSession.Deviation) -> Bool { self.deviations.insert(deviation).inserted }
}

extension MQTTConfiguration {
    /// The settings of the session.
    fileprivate var sessionSettings: ClientSession.Settings {
        var settings = ClientSession.Settings()
        // The client announces `session.receiveMaximum` but tolerates servers that exceed it, as mosquitto 2.0.11 does
        // at QoS 1: disconnecting would not help, because it would exceed it again on each connection. The 65,535
        // packet identifiers and the queues of the subscriptions limit the number of messages.
        settings.receiveMaximum = .max
        settings.maximumInFlight = self.session.maximumInFlightMessages.map { UInt16(clamping: $0) }
        // The session may contain unfinished exchanges of an earlier run, whose identifiers must not be reused.
        if !self.session.cleanStart {
            settings.firstPacketID = PacketID(.random(in: 1...UInt16.max))
            settings.firstSubscriptionIdentifier = .random(in: 1...0x0FFF_FFFF)
        }
        settings.publishesPerSecond = self.serviceLimits.publishesPerSecond
        settings.topicAliasMaximum = UInt16(clamping: self.session.topicAliasMaximum)
        settings.outgoingTopicAliasMaximum = self.session.usesTopicAliases ? 1024 : 0
        settings.highWaterMark = self.queues.unsentBytes
        settings.outboxCount = self.queues.outboxCount
        settings.outboxBytes = self.queues.outboxBytes
        settings.subscribeUserProperties = self.packetUserProperties.subscribe
        settings.unsubscribeUserProperties = self.packetUserProperties.unsubscribe
        return settings
    }
}

extension MQTTConfiguration.UnclaimedQueue {
    fileprivate var bounds: UnclaimedMessages<MQTTMessage>.Bounds {
        .init(count: self.count, bytes: self.bytes, time: self.timeLimit)
    }
}
