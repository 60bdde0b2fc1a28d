import CurlewBroker
import Testing

@Suite struct ConfigurationTests {
    @Test func `a broker listens on this machine alone unless told otherwise`() {
        let configuration = MQTTBrokerConfiguration()
        #expect(configuration.listeners.count == 1)
        #expect(configuration.listeners[0].anonymous == .local)
    }
}
