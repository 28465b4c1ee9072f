"""The notices and errors of TWS by number, in its own words; `{farm}` is filled in where a data farm is named."""

from types import MappingProxyType

TEXTS = MappingProxyType(
    {
        100: "Max rate of messages per second has been exceeded:max=50 rec=51",
        101: "Max number of tickers has been reached",
        103: "Duplicate order id",
        104: "Can't modify a filled order.",
        110: "The price does not conform to the minimum price variation for this contract.",
        161: "Cancel attempted when order is not in a cancellable state.",
        162: "Historical Market Data Service error message:Historical data request pacing violation",
        200: "No security definition has been found for the request",
        201: "Order rejected - reason:",
        202: "Order Canceled - reason:",
        300: "Can't find EId with tickerId:",
        309: "Max number (3) of market depth requests has been reached",
        310: "Can't find the subscribed market depth with tickerId:",
        316: "Market depth data has been HALTED. Please re-subscribe.",
        317: "Market depth data has been RESET. Please empty deep book contents before applying any new entries.",
        320: "Error reading request.",
        321: "Error validating request.",
        326: "Unable to connect as the client id is already in use. Retry with a unique client id.",
        354: "Requested market data is not subscribed.",
        366: "No historical data query found for ticker id:",
        420: "Invalid Real-time Query:Historical data request pacing violation",
        504: "Not connected",
        505: "Fatal Error: Unknown message id.",
        1100: "Connectivity between IBKR and Trader Workstation has been lost.",
        1101: "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
        1102: "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "
        "All data farms are connected: {farm}.",
        1300: "TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port",
        2103: "Market data farm connection is broken:{farm}",
        2104: "Market data farm connection is OK:{farm}",
        2105: "HMDS data farm connection is broken:{farm}",
        2106: "HMDS data farm connection is OK:{farm}",
        2107: "HMDS data farm connection is inactive but should be available upon demand.{farm}",
        2108: "Market data farm connection is inactive but should be available upon demand.{farm}",
        2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
        2152: "Exchanges - Depth: IEX; Top: BYX; Need additional market data permissions - Depth: BATS; ARCA; ",
        2157: "Sec-def data farm connection is broken:{farm}",
        2158: "Sec-def data farm connection is OK:{farm}",
        10089: "Requested market data requires additional subscription for API.",
        10147: "OrderId that needs to be cancelled is not found.",
        10190: "Max number of tick-by-tick requests has been reached.",
        10225: "Bust event occurred, current subscription is deactivated. Please resubscribe real-time bars "
        "immediately",
    }
)

MARKET_DATA_FARM, HISTORICAL_FARM, DEFINITION_FARM = "usfarm", "ushmds", "secdefil"
FARM_OF = MappingProxyType(
    {
        **dict.fromkeys((1102, 2103, 2104, 2108), MARKET_DATA_FARM),
        **dict.fromkeys((2105, 2106, 2107), HISTORICAL_FARM),
        **dict.fromkeys((2157, 2158), DEFINITION_FARM),
    }
)
RESTORING = MappingProxyType({2103: 2104, 2105: 2106, 2108: 2104, 2157: 2158})


def text_of(code: int, farm: str = "") -> str:
    """What TWS says with a code, about a farm where one belongs to it. Unknown codes need a text of their own."""
    if code not in TEXTS:
        raise KeyError(f"code {code} has no usual text: give one")
    return TEXTS[code].format(farm=farm or FARM_OF.get(code, ""))
