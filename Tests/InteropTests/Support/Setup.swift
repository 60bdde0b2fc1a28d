import Curlew
import MosquittoFixture
import Testing

/// One way to reach a broker, and one version to speak with it.
struct Setup: Sendable, CustomTestStringConvertible {
    var broker = BrokerProgram.mosquitto
    let listener: Mosquitto.Listener
    let version: ProtocolVersion

    var testDescription: String { "\(self.broker), \(self.listener), \(self.version)" }

    /// Each version over TCP and over TLS, with mosquitto and with `curlew broker`; with the latter TLS in 5.0 alone, because all
    /// these brokers share the processors with each other.
    static let all = BrokerProgram.available.flatMap { broker in
        [Mosquitto.Listener.tcp, .tls].flatMap { listener in
            ProtocolVersion.allCases.filter { broker == .mosquitto || listener == .tcp || $0 == .v5_0 }
                .map { Setup(broker: broker, listener: listener, version: $0) }
        }
    }

    /// The newest version over TCP and TLS.
    static let v5_0 = all.filter { $0.version == .v5_0 }
    static let tcp = all.filter { $0.listener == .tcp }

    /// The same through another listener.
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
    /// Where nothing may be lost, over TCP.
    static let reliable = all.filter { $0.setup.listener == .tcp && $0.qos > .atMostOnce }
}
