import MosquittoFixture
import Testing

#if Tools
/// The brokers that the tests in the parent folder run with: those that are installed.
@Suite("The brokers of these tests")
struct BothBrokersTests {
    @Test(
        "The broker tests run with both mosquitto and Curlew's broker",
        .enabled(
            if: Peers.haveMosquitto,
            "mosquitto is not installed; these tests run only with Curlew's broker; scripts/test installs it"))
    func both() { #expect(BrokerProgram.available == BrokerProgram.allCases) }
}
#endif
