import MosquittoFixture
import Testing

#if Tools
/// Which brokers the tests of this folder's parent run with: those that are here.
@Suite("The brokers of these tests")
struct BothBrokersTests {
    @Test(
        "What a broker has to do is asked of mosquitto and of Curlew's own",
        .enabled(
            if: Peers.haveMosquitto,
            "mosquitto is not installed; these tests run with Curlew's broker alone; scripts/test installs it"))
    func both() { #expect(BrokerProgram.available == BrokerProgram.allCases) }
}
#endif
