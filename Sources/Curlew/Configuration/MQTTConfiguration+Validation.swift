package import CurlewCore
import NIOCore

extension MQTTConfiguration {
    /// Checks every value, and combinations that cannot work. A client calls it before it connects.
    ///
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration`, or `.notSupportedByProtocolVersion` if the
    ///   configured protocol version does not support a setting. The message names the value and the permitted range.
    public func validate() throws(MQTTError) {
        if self.servers.isEmpty { throw invalid("There is no server to connect to; give at least one.") }
        for server in self.servers { try server.validate() }
        try self.clientIdentifier.validate()
        try self.connection.validate()
        if case .fixed(let login) = self.credentials.source { try login.validate() }
        try self.session.validate()
        try self.will?.validate()
        try self.reconnect.validate()
        try self.queues.validate()
        _ = try PublishDefaults(self.publishing)
        if let warning = self.acknowledgement.stuckWarning {
            try requirePositive(warning, "The time until the stuck acknowledgement warning")
        }
        try requireAtLeastOne(self.limits.waitingRequests, "The number of waiting requests")
        try requireAtLeastOne(self.limits.decodedReplyBytes, "The size of decoded replies")
        try requireAtLeastOne(self.limits.rememberedAnswerBytes, "The size of remembered answers")
        try requireAtLeastOne(self.limits.concurrentResponses, "The number of concurrent responses")
        try requireAtLeastOne(self.limits.bufferedEvents, "The number of buffered events")
        try self.serviceLimits.check(self)
        if let version = self.connection.version.exact { try self.validate(for: version) }
    }

    /// Checks what depends on the protocol version. `validate()` calls it for an exact version, the client before it
    /// falls back to 3.1.1.
    package func validate(for version: ProtocolVersion) throws(MQTTError) {
        guard version < .v5_0 else { return }
        if case .fixed(let login) = self.credentials.source { try login.validate(for: version) }
        if self.enhancedAuthentication != nil {
            throw notSupported(version, "Enhanced authentication", "use MQTT 5.0, or a user name and a password")
        }
        if let will = self.will, will.delay > .zero {
            throw notSupported(version, "A will delay", "set it to zero")
        }
        if case .assignedByServer = self.clientIdentifier.kind {
            guard version > .v3_1 else {
                throw notSupported(version, "A client identifier assigned by the server", "give or generate one")
            }
            // [MQTT-3.1.3-7] of MQTT 3.1.1
            guard self.session.cleanStart else {
                throw invalid(
                    "With MQTT \(version), resuming a session needs a client identifier; give one, or set clean start to true."
                )
            }
        }
        if version == .v3_1, let length = self.clientIdentifier.length, length > 23 {
            throw notSupported(version, "A client identifier of \(length) bytes", "shorten it to 23")
        }
    }
}

// MARK: - Settings, group by group

extension MQTTConfiguration.Server {
    fileprivate func validate() throws(MQTTError) {
        guard self.scheme != .unix else { return try self.validateSocket() }
        if self.host.isEmpty { throw invalid("The server's host is empty; give a name or an address.") }
        guard self.host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !"/?#@[]".utf8.contains($0) }) else {
            throw invalid(
                "The server's host must be only a name or an address, without spaces, brackets, path, user or scheme; "
                    + "use MQTTConfiguration(url:) for a URL.")
        }
        guard (1...65_535).contains(self.port) else {
            throw invalid("The port \(self.port) of server \(self.host) must be from 1 to 65535.")
        }
        guard self.scheme.isWebSocket || self.path.isEmpty else {
            throw invalid("The server \(self.host) must not have a path; only .ws, .wss and .unix servers have one.")
        }
        guard !self.scheme.isWebSocket || self.path.hasPrefix("/") else {
            throw invalid("The path of the WebSocket to \(self.host) must begin with a '/'.")
        }
        guard !self.path.contains("?") else {
            throw invalid(
                "The path of the WebSocket to \(self.host) has a '?' in it; put what follows it into `query`.")
        }
        guard self.query.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !self.query.contains("#") else {
            throw invalid(
                "The query for \(self.host) contains a character that must be percent-encoded, such as a space or '#'.")
        }
        guard self.scheme.isWebSocket || self.query.isEmpty else {
            throw invalid("The server \(self.host) must not have a query; only .ws and .wss servers have one.")
        }
    }

    private func validateSocket() throws(MQTTError) {
        guard !self.path.isEmpty else {
            throw invalid("The path of the Unix domain socket is empty; give the path of the socket.")
        }
        guard !self.path.utf8.contains(0) else {
            throw invalid("The path of the Unix domain socket contains a zero byte; remove it.")
        }
        // What fits in `sockaddr_un` on every system.
        guard self.path.utf8.count <= 103 else {
            throw invalid("The path of the Unix domain socket is \(self.path.utf8.count) bytes long; at most 103 fit.")
        }
    }
}

extension MQTTConfiguration.ClientIdentifier {
    /// In bytes; `nil` if the broker assigns the identifier.
    var length: Int? {
        switch self.kind {
        case .given(let identifier): identifier.utf8.count
        case .generated(let prefix): prefix.utf8.count + Self.generatedLength
        case .assignedByServer: nil
        }
    }

    fileprivate func validate() throws(MQTTError) {
        switch self.kind {
        case .given(""):
            throw invalid("The client identifier is empty; use .assignedByServer to let the server choose one.")
        case .given(let identifier): try requireText(identifier, "The client identifier")
        case .generated(let prefix):
            try requireText(prefix, "The prefix of the client identifier", reserve: Self.generatedLength)
        case .assignedByServer: break
        }
    }
}

extension MQTTConfiguration.Connection {
    fileprivate func validate() throws(MQTTError) {
        guard self.keepAlive.wholeSeconds(through: 65_535) != nil else {
            throw invalid("The keep alive of \(self.keepAlive) must be whole seconds from 0 (off) to 65535.")
        }
        try requirePositive(self.connectTimeout, "The connect timeout")
        try requirePositive(self.handshakeTimeout, "The handshake timeout")
        try requirePositive(self.pingTimeout, "The ping timeout")
        if let timeout = self.acknowledgementTimeout { try requirePositive(timeout, "The acknowledgement timeout") }
        try requirePositive(self.disconnectTimeout, "The disconnect timeout")
        try requirePositive(self.drainTimeout, "The drain timeout")
    }
}

extension MQTTConfiguration.Login {
    /// Checks what holds for all versions, also for the login that a provider returns.
    package func validate() throws(MQTTError) {
        if let username = self.username { try requireText(username, "The user name") }
        if let password = self.password, password.bytes.readableBytes > 65_535 {
            throw invalid("The password is longer than the 65535 bytes that MQTT allows.")
        }
    }

    /// Before 5.0 a password needs a user name: [MQTT-3.1.2-22] of MQTT 3.1.1.
    package func validate(for version: ProtocolVersion) throws(MQTTError) {
        if version < .v5_0, self.username == nil, self.password != nil {
            throw notSupported(version, "A password without a user name", "give a user name, which may be empty")
        }
    }
}

extension MQTTConfiguration.Session {
    fileprivate func validate() throws(MQTTError) {
        if self.expiry.seconds == nil {
            throw invalid(
                "The session expiry of \(self.expiry) must be whole seconds from 0 to 4294967294; use .never if it shall not expire."
            )
        }
        try requireRange(self.receiveMaximum, 1...65_535, "The receive maximum")
        if let maximumInFlightMessages {
            try requireRange(maximumInFlightMessages, 1...65_535, "The maximum number of messages in flight")
        }
        // A fixed header of five bytes plus the maximum remaining length.
        try requireRange(self.maximumPacketSize, 1...268_435_460, "The maximum packet size")
        try requireRange(self.topicAliasMaximum, 0...65_535, "The topic alias maximum")
        try requireUserProperties(self.userProperties, "of the session")
    }
}

extension MQTTConfiguration.Will {
    fileprivate func validate() throws(MQTTError) {
        do throws(TopicError) {
            _ = try TopicName(self.topic)
        } catch {
            throw MQTTError(.invalidConfiguration, "The topic of the will is not valid: \(error)", cause: error)
        }
        if self.payload.readableBytes > 65_535 {
            throw invalid("The payload of the will has \(self.payload.readableBytes) bytes; MQTT allows 65535.")
        }
        guard self.delay.wholeSeconds(through: .max) != nil else {
            throw invalid("The will delay of \(self.delay) must be whole seconds from 0 to 4294967295.")
        }
        try requireUserProperties(self.properties.userProperties, "of the will")
    }
}

extension MQTTConfiguration.Reconnect {
    fileprivate func validate() throws(MQTTError) {
        try requirePositive(self.initialDelay, "`reconnect.initialDelay`")
        guard self.minimumDelay >= .zero, self.minimumDelay <= self.maximumDelay else {
            throw invalid(
                "`reconnect.minimumDelay`, \(self.minimumDelay), must be from zero to `maximumDelay`, \(self.maximumDelay)."
            )
        }
        guard self.initialDelay <= self.maximumDelay else {
            throw invalid(
                "`reconnect.initialDelay`, \(self.initialDelay), must not exceed `maximumDelay`, \(self.maximumDelay).")
        }
        guard self.jitter >= 0, self.jitter <= 1 else {
            throw invalid("`reconnect.jitter`, \(self.jitter), must be from 0 (none) to 1.")
        }
        guard self.stableAfter >= .zero else {
            throw invalid("`reconnect.stableAfter`, \(self.stableAfter), must not be negative.")
        }
        if let tries = self.maximumAttempts, tries < 1 {
            throw invalid("`reconnect.maximumAttempts` must be at least 1; use Reconnect.disabled for none.")
        }
    }
}

extension MQTTConfiguration.Queues {
    fileprivate func validate() throws(MQTTError) {
        try requireAtLeastOne(self.unsentBytes, "The maximum of unsent bytes")
        try requireAtLeastOne(self.outboxCount, "The outbox's maximum of messages")
        try requireAtLeastOne(self.outboxBytes, "The outbox's maximum of bytes")
        try self.subscription.validate()
        if self.unclaimed.count < 0 || self.unclaimed.bytes < 0 {
            throw invalid("The maximums of unclaimed messages must not be negative; use 0 to keep none.")
        }
        if let time = self.unclaimed.timeLimit, time < .zero {
            throw invalid("The time limit of unclaimed messages, \(time), must not be negative; use nil for no limit.")
        }
    }
}

extension MQTTConfiguration.SubscriptionQueue {
    /// Checks the settings of one queue: the configured default, or those of one subscribe call.
    package func validate() throws(MQTTError) {
        try requireAtLeastOne(self.count, "A subscription queue's maximum of messages")
        try requireAtLeastOne(self.bytes, "A subscription queue's maximum of bytes")
        if case .priority = self.order.kind, self.overflow == .latestPerTopic {
            throw invalid(
                "A queue ordered by priority cannot keep the latest message of each topic in place; use .fifo or .lifo with "
                    + ".latestPerTopic, or another overflow policy.")
        }
    }
}

// MARK: - Error messages

private func invalid(_ message: String) -> MQTTError { MQTTError(.invalidConfiguration, message) }

private func notSupported(_ version: ProtocolVersion, _ what: String, _ remedy: String) -> MQTTError {
    MQTTError(
        .notSupportedByProtocolVersion,
        "\(what) is not possible with MQTT \(version); \(remedy), or use a later version.")
}

private func requirePositive(_ duration: Duration, _ name: String) throws(MQTTError) {
    if duration <= .zero { throw invalid("\(name) is \(duration); it must be longer than zero.") }
}

private func requireRange(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws(MQTTError) {
    guard range.contains(value) else {
        throw invalid("\(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound).")
    }
}

private func requireAtLeastOne(_ value: Int, _ name: String) throws(MQTTError) {
    if value < 1 { throw invalid("\(name) is \(value); it must be at least 1.") }
}

/// A UTF-8 string that MQTT allows: its length fits into two bytes, and it does not contain U+0000 [MQTT-1.5.4-2].
private func requireText(_ string: String, _ name: String, reserve: Int = 0) throws(MQTTError) {
    if string.utf8.count + reserve > 65_535 {
        throw invalid("\(name) is longer than the 65535 bytes that MQTT allows.")
    }
    if string.utf8.contains(0) { throw invalid("\(name) contains the character U+0000, which MQTT forbids.") }
}

private func requireUserProperties(_ properties: [UserProperty], _ place: String) throws(MQTTError) {
    for property in properties {
        try requireText(property.name, "The name of a user property \(place)")
        try requireText(property.value, "The value of a user property \(place)")
    }
}
