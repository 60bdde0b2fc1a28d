#if Tools
import Curlew
import CurlewCore
import NIOCore

extension CommandSettings {
    /// Applies the properties of `-D` to the client's configuration. Those of messages are added to the messages.
    mutating func applyProperties() throws {
        guard !self.properties.isEmpty else { return }
        guard (self.version ?? .v5_0) == .v5_0 else {
            throw CommandFailure(
                "-D needs MQTT 5, but the version is set to \(self.configuration.connection.version).")
        }
        self.configuration.connection.version = .exactly(.v5_0)
        self.configuration.packetUserProperties.subscribe = self.properties[.subscribe].userProperties
        self.configuration.packetUserProperties.unsubscribe = self.properties[.unsubscribe].userProperties
        self.configuration.packetUserProperties.disconnect = self.properties[.disconnect].userProperties
        var authentication: (method: String?, data: ByteBuffer?)
        for property in self.properties[.connect].list {
            switch property {
            case .authenticationMethod(let method): authentication.method = method
            case .authenticationData(let data): authentication.data = data
            default: self.configuration.session.apply(property)
            }
        }
        if case .sessionExpiryInterval? = self.properties[.connect].list.first(where: { $0.isExpiry }) {
            self.keepsSession = true
        }
        guard let method = authentication.method else {
            guard authentication.data == nil else {
                throw CommandFailure("-D connect authentication-data needs -D connect authentication-method.")
            }
            return
        }
        self.configuration.enhancedAuthentication = .init(
            method: method, authenticator: FixedAuthenticator(data: authentication.data))
    }

    /// The session expiry interval to send with DISCONNECT.
    var finalExpiry: MQTTConfiguration.Expiry {
        for case .sessionExpiryInterval(let seconds) in self.properties[.disconnect].list {
            return seconds == .max ? .never : .after(.seconds(Int(seconds)))
        }
        return self.keepsSession ? self.configuration.session.expiry : .withConnection
    }

    /// The subscription identifier of `-D`, shown instead of those that the client assigns.
    var subscriptionIdentifier: UInt32? {
        self.properties[.subscribe].value { if case .subscriptionIdentifier(let value) = $0 { value } else { nil } }
    }
}

extension MQTTConfiguration.Session {
    fileprivate mutating func apply(_ property: Property) {
        switch property {
        case .sessionExpiryInterval(let seconds):
            self.expiry = seconds == .max ? .never : .after(.seconds(Int(seconds)))
        case .receiveMaximum(let value): self.receiveMaximum = Int(value)
        case .maximumPacketSize(let value): self.maximumPacketSize = min(Int(value), PacketSize.largest)
        case .topicAliasMaximum(let value): self.topicAliasMaximum = Int(value)
        case .requestProblemInformation(let value): self.requestProblemInformation = value
        case .requestResponseInformation(let value): self.requestResponseInformation = value
        case .userProperty(let value): self.userProperties.append(value)
        default: break
        }
    }
}

extension Property {
    fileprivate var isExpiry: Bool { self.identifier == .sessionExpiryInterval }
}

/// Sends the authentication data of the command line. It cannot answer a challenge.
private struct FixedAuthenticator: MQTTEnhancedAuthenticator {
    let data: ByteBuffer?

    func begin() async throws -> ByteBuffer? { self.data }

    func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer? {
        throw CommandFailure(
            "The broker requires a further authentication step, which curlew does not support.")
    }
}
#endif
