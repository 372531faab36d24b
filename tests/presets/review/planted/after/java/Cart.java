public class Cart {
    private String state = "open";

    public String state() {
        return state;
    }

    public boolean isOpen(String wanted) {
        if (wanted == "open") {
            return true;
        }
        return state.equals(wanted);
    }
}
