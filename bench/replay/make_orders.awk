# SPDX-License-Identifier: LGPL-2.1-or-later
# make_orders.awk: write bench/replay/orders.tsv, a sample order file; the same one each time.
#
#   awk -f bench/replay/make_orders.awk > bench/replay/orders.tsv
#
# 300 orders of a made-up restaurant. A price depends on the item and on its choices; some orders
# have the same line twice (which a cart merges), some items come several at a time.

function random(below) { # a linear congruential generator: no two awks have the same rand()
	state = (state * 16807) % 2147483647
	return state % below
}

function dish(name, cents, choices) {
	dishes++
	names[dishes] = name
	prices[dishes] = cents
	lists[dishes] = choices # "|": pick one of; ";": then pick any of
}

function money(cents) {
	return sprintf("$%d.%02d", int(cents / 100), cents % 100)
}

# One of the dish's kinds, and each of its additions with one chance in three.
function choose(dish_number,    halves, kinds, additions, i, n, text) {
	extra = 0
	if (lists[dish_number] == "")
		return "NULL"
	split(lists[dish_number], halves, ";")
	n = split(halves[1], kinds, "|")
	text = kinds[1 + random(n)]
	n = split(halves[2], additions, "|")
	for (i = 1; i <= n; i++)
		if (random(3) == 0) {
			text = text ", " additions[i]
			extra += 35
		}
	return text
}

BEGIN {
	OFS = "\t"
	state = 20240229
	dish("Classic Burger", 899, "Medium|Well Done;Bacon|Cheddar|Fried Onions|Pickles")
	dish("Double Burger", 1149, "Medium|Well Done;Bacon|Cheddar|Jalapeños|No Onion")
	dish("Veggie Burger", 949, "Bean Patty|Beet Patty;Avocado|Sprouts|Vegan Mayo")
	dish("Chicken Sandwich", 925, "Grilled|Crispy;Slaw|Hot Honey|Pickles")
	dish("Margherita Pizza", 1095, "Thin Crust|Deep Dish;Olives|Mushrooms|Extra Basil")
	dish("Pepperoni Pizza", 1275, "Thin Crust|Deep Dish;Jalapeños|Extra Cheese")
	dish("Caesar Salad", 875, "Full|Half;Chicken|Anchovies|No Croutons")
	dish("Tomato Soup", 525, "Cup|Bowl;Cream|Bread")
	dish("French Fries", 349, "Regular|Curly;Truffle Oil|Chili")
	dish("Sweet-Potato Fries", 429, "")
	dish("Onion Rings", 399, "")
	dish("Chicken Wings (6)", 725, "Mild|Hot|Inferno;Blue Cheese|Celery")
	dish("Mac & Cheese", 650, "")
	dish("Crème Brûlée", 595, "")
	dish("Cheesecake", 545, "Plain|Strawberry;Whipped Cream")
	dish("Cola", 225, "Regular|Zero;No Ice")
	dish("Lemonade", 275, "")
	dish("Iced Tea", 240, "Peach|Lemon;No Ice|Extra Lemon")
	dish("Coffee", 250, "Black|Oat Milk|Whole Milk;Vanilla|Extra Shot")
	dish("Bottled Water", 175, "")

	print "order_id", "quantity", "item_name", "choice_description", "item_total_price"
	for (order = 1; order <= 300; order++) {
		lines = 1 + random(4) + (random(5) == 0 ? random(9) : 0)
		for (line = 1; line <= lines; line++) {
			number = 1 + random(dishes)
			choices = choose(number)
			quantity = random(6) == 0 ? 2 + random(4) : 1
			row = order OFS quantity OFS names[number] OFS choices OFS money(quantity * (prices[number] + extra))
			print row
			if (random(14) == 0)
				print row
		}
	}
}
