/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * currency.c: the currencies of ISO 4217, and the digits of their minor units.
 *
 * A cart keeps code and digits, so a currency that is dropped here, or gets other digits, changes
 * no cart that has it. Left out are the codes of metals and of funds without minor units.
 */
#include "cart/cart_shape.h"

#define LETTER_BITS 5
#define DIGITS_AT 16
#define DIGITS_MAX 4u
#define USUAL_DIGITS 2u

/* By the digits of their minor units; the codes in the order of the alphabet. */
static const struct {
	uint32_t digits;
	const char *codes;
} currencies[] = {
	{ 2, "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP "
	     "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR "
	     "FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR "
	     "KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV "
	     "MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR "
	     "SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
	     "USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG" },
	{ 0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF" },
	{ 3, "BHD IQD JOD KWD LYD OMR TND" },
	{ 4, "CLF UYW" },
};

static bool is_capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* Is this one of the codes of a list? Each is three letters, and a space but for the last. */
static bool lists(const char *codes, const char *code)
{
	for (size_t size = strlen(codes); size >= 3; codes += 4, size -= 4) {
		if (memcmp(codes, code, 3) == 0)
			return true;
		if (size == 3)
			break;
	}
	return false;
}

uint32_t cart_currency(struct corral_text code)
{
	uint32_t letters = 0;

	if (code.size != 3 || code.data == NULL)
		return 0;
	for (uint32_t i = 0; i < 3; i++) {
		if (!is_capital(code.data[i]))
			return 0;
		letters = letters << LETTER_BITS | (uint32_t)(code.data[i] - 'A' + 1);
	}
	for (size_t i = 0; i < sizeof(currencies) / sizeof(currencies[0]); i++)
		if (lists(currencies[i].codes, code.data))
			return letters | currencies[i].digits << DIGITS_AT;
	return 0;
}

static char letter_of(uint32_t currency, uint32_t place)
{
	return (char)('A' - 1 + (currency >> LETTER_BITS * place & 31));
}

void cart_currency_code(uint32_t currency, char ret_code[4], uint32_t *ret_digits)
{
	if (likely(currency == 0)) {
		memset(ret_code, 0, 4);
		*ret_digits = USUAL_DIGITS;
		return;
	}
	for (uint32_t i = 0; i < 3; i++)
		ret_code[i] = letter_of(currency, 2 - i);
	ret_code[3] = 0;
	*ret_digits = currency >> DIGITS_AT;
}

uint32_t cart_currency_of_code(uint16_t code)
{
	uint32_t digits;
	char text[4];

	cart_currency_code(code, text, &digits);
	return cart_currency((struct corral_text){ text, strlen(text) });
}

bool cart_currency_valid(uint32_t currency)
{
	if (likely(currency == 0))
		return true;
	for (uint32_t i = 0; i < 3; i++)
		if (!is_capital(letter_of(currency, i)))
			return false;
	return currency >> DIGITS_AT <= DIGITS_MAX && (currency & 1u << 15) == 0;
}
