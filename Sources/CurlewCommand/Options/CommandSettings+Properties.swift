#if Tools
import Curlew
import CurlewCore
import NIOCore

extension CommandSettings {
    /// Puts the properties of `-D` where the client has a place for them; those of messages go with the messages.
    mutating func applyProperties() throws {
        guard !self.properties.isEmpty else { return }
        guard (self.version ?? .v5_0) == .v5_0 else {
            throw CommandFailure(
                "-D needs MQTT 5, and the version asked for is \(self.configuration.connection.version).")
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
        self.configuration.authentication = .init(
            method: method, authenticator: FixedAuthenticator(data: authentication.data))
    }

    /// How long the server shall keep the session after the end.
    var finalExpiry: MQTTConfiguration.Expiry {
        for case .sessionExpiryInterval(let seconds) in self.properties[.disconnect].list {
            return seconds == .max ? .never : .after(.seconds(Int(seconds)))
        }
        return self.keepsSession ? self.configuration.session.expiry : .withConnection
    }

    /// What stands for the client's own subscription identifiers.
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

/// Says the same to every challenge: the method and its data were given on the command line.
private struct FixedAuthenticator: MQTTAuthenticator {
    let data: ByteBuffer?

    func begin() async throws -> ByteBuffer? { self.data }

    func respond(to challenge: ByteBuffer?) async throws -> ByteBuffer? {
        throw CommandFailure(
            "The server asks more about the authentication than -D connect authentication-data has said.")
    }
}
#endif
