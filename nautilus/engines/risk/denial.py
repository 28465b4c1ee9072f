"""Why the gate refuses: one stable code for each check."""

from enum import StrEnum


class Denial(StrEnum):
    """Codes of the gate, in the order in which their checks run. They never change their meaning."""

    NOT_OWNER = "NOT_OWNER"
    KILL_SWITCH = "KILL_SWITCH"
    HALTED = "HALTED"
    DUPLICATE_ORDER_ID = "DUPLICATE_ORDER_ID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    ORDER_RATE = "ORDER_RATE"
    OPEN_ORDERS = "OPEN_ORDERS"
    SIDE = "SIDE"
    QUANTITY = "QUANTITY"
    PRICE = "PRICE"
    TERMS = "TERMS"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    RESTRICTED = "RESTRICTED"
    FAT_FINGER = "FAT_FINGER"
    STALE_QUOTE = "STALE_QUOTE"
    NO_PRICE = "NO_PRICE"
    PRICE_COLLAR = "PRICE_COLLAR"
    REDUCE_ONLY = "REDUCE_ONLY"
    REDUCING = "REDUCING"
    NO_CURRENCY_RATE = "NO_CURRENCY_RATE"
    NOTIONAL = "NOTIONAL"
    POSITION = "POSITION"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    NET_EXPOSURE = "NET_EXPOSURE"
    NO_EQUITY = "NO_EQUITY"
    BUYING_POWER = "BUYING_POWER"
    LEVERAGE = "LEVERAGE"
    CONCENTRATION = "CONCENTRATION"
    MARGIN = "MARGIN"


MEANINGS: dict[Denial, str] = {
    Denial.NOT_OWNER: "This process does not hold the lease of the account; another may be trading it.",
    Denial.KILL_SWITCH: "The kill switch is engaged.",
    Denial.HALTED: "Trading is halted: everywhere, or for the strategy, account or instrument.",
    Denial.DUPLICATE_ORDER_ID: "The client order id was used before.",
    Denial.UNKNOWN_ORDER: "The order to be changed is not open.",
    Denial.ORDER_RATE: "Too many orders within a second, in all or of the strategy.",
    Denial.OPEN_ORDERS: "Too many orders are open.",
    Denial.SIDE: "An order must buy or sell.",
    Denial.QUANTITY: "The quantity is below one lot, or below what is filled.",
    Denial.PRICE: "A limit or trigger price is missing, superfluous or below one tick.",
    Denial.TERMS: "Time in force, expiry or post-only do not fit together or the order type.",
    Denial.UNKNOWN_INSTRUMENT: "No such instrument.",
    Denial.RESTRICTED: "The instrument is on the restricted list.",
    Denial.FAT_FINGER: "More lots than any one order may have.",
    Denial.STALE_QUOTE: "The last quote is too old.",
    Denial.NO_PRICE: "A market order while no price is known.",
    Denial.PRICE_COLLAR: "The limit price is too far through the market, or through the order's own trigger.",
    Denial.REDUCE_ONLY: "A reduce-only order would do more than reduce the strategy's position.",
    Denial.REDUCING: "Only orders that reduce a position pass now.",
    Denial.NO_CURRENCY_RATE: "No rate from the instrument's currency to the base currency is known.",
    Denial.NOTIONAL: "The order is worth more than any one order may be.",
    Denial.POSITION: "The position would be larger than a limit allows.",
    Denial.GROSS_EXPOSURE: "Gross exposure would be larger than a limit allows.",
    Denial.NET_EXPOSURE: "Net exposure would be larger than a limit allows.",
    Denial.NO_EQUITY: "There is a portfolio engine, but it has not told the account's equity yet.",
    Denial.BUYING_POWER: "Initial margin of everything held and working would exceed equity.",
    Denial.LEVERAGE: "Gross exposure over equity would be larger than a limit allows.",
    Denial.CONCENTRATION: "One instrument's share of equity would be larger than a limit allows.",
    Denial.MARGIN: "The account uses too much of its margin already.",
}
"""What each code means."""
