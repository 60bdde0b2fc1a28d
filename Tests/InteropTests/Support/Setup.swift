import Curlew
import MosquittoFixture
import Testing

/// A broker, a listener and a protocol version.
struct Setup: Sendable, CustomTestStringConvertible {
    var broker = BrokerProgram.mosquitto
    let listener: Mosquitto.Listener
    let version: ProtocolVersion

    var testDescription: String { "\(self.broker), \(self.listener), \(self.version)" }

    /// Each version over TCP and TLS, with mosquitto and `curlew broker`; with the latter, TLS only with 5.0, because
    /// all these brokers run at the same time.
    static let all = BrokerProgram.available.flatMap { broker in
        [Mosquitto.Listener.tcp, .tls].flatMap { listener in
            ProtocolVersion.allCases.filter { broker == .mosquitto || listener == .tcp || $0 == .v5_0 }
                .map { Setup(broker: broker, listener: listener, version: $0) }
        }
    }

    /// MQTT 5.0 over TCP and TLS.
    static let v5_0 = all.filter { $0.version == .v5_0 }
    static let tcp = all.filter { $0.listener == .tcp }

    /// The same setup with a different listener.
    func through(_ listener: Mosquitto.Listener) -> Setup {
        Setup(broker: self.broker, listener: listener, version: self.version)
    }
}

/// A setup together with a QoS.
struct SetupAndQoS: Sendable, CustomTestStringConvertible {
    let setup: Setup
    let qos: QoS

    var testDescription: String { "\(self.setup.testDescription), QoS \(self.qos.rawValue)" }

    static let all = Setup.all.flatMap { setup in QoS.allCases.map { SetupAndQoS(setup: setup, qos: $0) } }
    /// QoS 1 and 2 over TCP, where no message may be lost.
    static let reliable = all.filter { $0.setup.listener == .tcp && $0.qos > .atMostOnce }
}
